internal import Glibc
internal import Transport

@main
struct DeployexBench {
    /// The main thread becomes the event loop's thread, as in `deployex` itself.
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do throws(any Error) {
            let invocation = try Invocation(arguments: Array(CommandLine.arguments.dropFirst()))
            switch invocation {
            case .help: print(Invocation.helpText)
            case .idle(let options): try runOnLoop { try await IdleNode.serve(options, on: $0) }
            case .dial(let options):
                try runOnLoop { try await ManyConnections.dial(options, on: $0) }
            case .measure(let options): try runOnLoop { try await measure(options, on: $0) }
            }
        } catch {
            note("\(error)")
            exit(error is UsageError ? 2 : 1)
        }
    }

    private static func runOnLoop(
        _ body: @escaping @Sendable (EventLoop) async throws -> Void
    ) throws {
        let loop = try EventLoop()
        // Written by the task before the loop stops, read after it has stopped, on the same thread.
        nonisolated(unsafe) var failure: (any Error)?
        Task(executorPreference: loop) {
            do { try await body(loop) } catch { failure = error }
            loop.stop()
        }
        loop.run()
        if let failure { throw failure }
    }

    private static func measure(_ options: MeasureOptions, on loop: EventLoop) async throws {
        let peers = try await Peers.start(options, on: loop)
        defer { peers.end() }
        var report = Report(host: Host.current, otp: try await peers.beam.release())
        for measure in Measure.allCases where options.measures.contains(measure) {
            note("measuring \(measure.summary)")
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

    /// Tells who waits what goes on, or what went wrong; not part of the result.
    private static func note(_ text: String) {
        let line = Array("deployex-bench: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
