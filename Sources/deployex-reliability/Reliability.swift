internal import Glibc
internal import TestKit
internal import Transport

@main
struct Reliability {
    private static let name = "deployex-reliability"

    static func main() {
        MeasuringProgram.run(name) { arguments in
            switch try Invocation(arguments: arguments) {
            case .help: print(Invocation.helpText)
            case .measure(let options):
                SignalWatch.block(Leftovers.endingSignals)
                let figures = try MeasuringProgram.onLoop { loop in
                    let signals = try SignalWatch(Leftovers.endingSignals, on: loop) { number in
                        note("ended by a signal; ending what was started")
                        Leftovers.end()
                        _exit(128 + number)
                    }
                    defer { signals.close() }
                    return try await measure(options, on: loop)
                }
                exit(figures.allSatisfy { $0.isMet ?? true } ? 0 : 1)
            case .tryReusedPIDs(let count):
                print(
                    try MeasuringProgram.onLoop {
                        try await ReusedPIDs.runInside(count: count, on: $0)
                    })
            }
        }
    }

    private static func measure(
        _ options: MeasureOptions, on loop: EventLoop
    ) async throws -> [Figure] {
        print(Machine.current.line)
        var figures: [Figure] = []
        for measure in Measure.allCases where options.measures.contains(measure) {
            note("measuring \(measure.summary)")
            let found =
                switch measure {
                case .kills: try await KillRun.measure(options, on: loop)
                case .reuse: try await ReusedPIDs.measure(options)
                case .exits: try await Exits.measure(options, on: loop)
                case .steady: try await SteadyState.measure(options, on: loop)
                }
            for figure in found { print(figure.line) }
            fflush(nil)
            figures += found
        }
        return figures
    }

    /// Tells who waits what goes on, or what went wrong; not part of the result.
    static func note(_ text: String) {
        MeasuringProgram.note(text, of: name)
    }
}
