internal import Glibc
internal import Transport

@main
struct Reliability {
    /// The main thread becomes the event loop's thread, as in `deployex` itself.
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do throws(any Error) {
            switch try Invocation(arguments: Array(CommandLine.arguments.dropFirst())) {
            case .help: print(Invocation.helpText)
            case .measure(let options):
                SignalWatch.block(Leftovers.endingSignals)
                let figures = try runOnLoop { loop in
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
                print(try runOnLoop { try await ReusedPIDs.runInside(count: count, on: $0) })
            }
        } catch {
            note("\(error)")
            exit(error is UsageError ? 2 : 1)
        }
    }

    private static func runOnLoop<Result: Sendable>(
        _ body: @escaping @Sendable (EventLoop) async throws -> Result
    ) throws -> Result {
        let loop = try EventLoop()
        // Written by the task before the loop stops, read after it has stopped, on the same thread.
        nonisolated(unsafe) var result: Swift.Result<Result, any Error>?
        Task(executorPreference: loop) {
            do { result = .success(try await body(loop)) } catch { result = .failure(error) }
            loop.stop()
        }
        loop.run()
        guard let result else { preconditionFailure("The loop stops when there is a result") }
        return try result.get()
    }

    private static func measure(
        _ options: MeasureOptions, on loop: EventLoop
    ) async throws -> [Figure] {
        print(Host.current.line)
        var figures: [Figure] = []
        for measure in Measure.allCases where options.measures.contains(measure) {
            note("measuring \(measure.summary)")
            let found =
                switch measure {
                case .kills: try await KillRun(options, on: loop).measure()
                case .reuse: try await ReusedPIDs.measure(options)
                case .exits: try await Exits(options, on: loop).measure()
                case .steady: try await SteadyState(options, on: loop).measure()
                }
            for figure in found { print(figure.line) }
            fflush(nil)
            figures += found
        }
        return figures
    }

    /// Tells who waits what goes on, or what went wrong; not part of the result.
    static func note(_ text: String) {
        let line = Array("deployex-reliability: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
