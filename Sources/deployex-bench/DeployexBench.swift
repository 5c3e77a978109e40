internal import Glibc
internal import TestKit
internal import Transport

@main
struct DeployexBench {
    private static let name = "deployex-bench"

    static func main() {
        MeasuringProgram.run(name) { arguments in
            switch try Invocation(arguments: arguments) {
            case .help: print(Invocation.helpText)
            case .idle(let options):
                try MeasuringProgram.onLoop { try await IdleNode.serve(options, on: $0) }
            case .dial(let options):
                try MeasuringProgram.onLoop { try await ManyConnections.dial(options, on: $0) }
            case .measure(let options):
                try MeasuringProgram.onLoop { try await measure(options, on: $0) }
            }
        }
    }

    private static func measure(_ options: MeasureOptions, on loop: EventLoop) async throws {
        let peers = try await Peers.start(options, on: loop)
        defer { peers.end() }
        var report = Report(machine: Machine.current, otp: try await peers.beam.release())
        for measure in Measure.allCases where options.measures.contains(measure) {
            MeasuringProgram.note("measuring \(measure.summary)", of: name)
            switch measure {
            case .calls: report.rows += try await RoundTrips(peers, options.effort).measure()
            case .concurrency: report.rows += try await Concurrency(peers, options.effort).measure()
            case .small: report.rows += try await SmallMessages(peers, options.effort).measure()
            case .connect: report.rows += try await Connects(peers, options.effort).measure()
            case .large: report.rows += try await LargeMessages(peers, options.effort).measure()
            case .many: report.rows += try await ManyConnections(peers, options.effort).measure()
            case .codec: report.rows += try await Codecs(peers, options.effort).measure()
            case .idle: report.rows += try await IdleNode.measure(peers, options.effort)
            }
        }
        print(options.json ? report.json : report.table)
    }
}
