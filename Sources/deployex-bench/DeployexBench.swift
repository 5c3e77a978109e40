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
            let rows =
                switch measure {
                case .calls: try await RoundTrips.measure(peers)
                case .concurrency: try await Concurrency.measure(peers)
                case .small: try await SmallMessages.measure(peers)
                case .connect: try await Connects.measure(peers)
                case .large: try await LargeMessages.measure(peers)
                case .many: try await ManyConnections.measure(peers)
                case .codec: try await Codecs.measure(peers)
                case .idle: try await IdleNode.measure(peers)
                case .dashboard: try await DashboardLoad.measure(peers)
                case .hotUpgrade: try await HotUpgrades.measure(peers)
                }
            report.rows += rows
        }
        print(options.json ? report.json : report.table)
    }
}
