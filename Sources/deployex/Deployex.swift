internal import Glibc
internal import Supervisor
internal import Transport

@main
struct Deployex {
    /// The main thread becomes the event loop's thread; everything runs on it.
    static func main() {
        // Before anything is opened: it would take the place of a standard descriptor.
        OwnProcess.openStandardDescriptors()
        // This comes before everything else that may fail, so that later observers see no cookie.
        let arguments = ArgumentSecrets.take()
        if arguments.dropFirst().first == HolderProcess.verb { exit(HoldSockets.run()) }
        let invocation: Invocation
        do throws(UsageError) {
            invocation = try Invocation(arguments: Array(arguments.dropFirst()))
        } catch {
            exit(report(error))
        }
        switch runOnLoop(invocation) {
        case .exit(let code): exit(Output.exitCode(after: code))
        case .replacement(let program): exit(program.execute())
        }
    }

    private static func runOnLoop(_ invocation: Invocation) -> Ending {
        // If a reader is gone, write(2) fails with an error; it must not end us.
        signal(SIGPIPE, SIG_IGN)
        // The same goes for a file that may not grow (RLIMIT_FSIZE).
        signal(SIGXFSZ, SIG_IGN)
        do throws(SystemError) {
            try invocation.command.prepare()
        } catch {
            Output.error("\(error)")
            return .exit(ExitCode.refused)
        }
        let loop: EventLoop
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            Output.error("\(error)")
            return .exit(ExitCode.unreachable)
        }
        // The task writes it before the loop stops. It is read after the loop has stopped, on the
        // same thread.
        nonisolated(unsafe) var ending = Ending.done
        Task(executorPreference: loop) {
            ending = await run(invocation, on: loop)
            loop.stop()
        }
        loop.run()
        return ending
    }

    private static func run(_ invocation: Invocation, on loop: EventLoop) async -> Ending {
        do {
            try ProcessEnvironment.check()
            return try await invocation.command.run(
                CommandSetting(
                    invocation: invocation, environment: ProcessEnvironment.variables, loop: loop))
        } catch let error as UsageError {
            return .exit(report(error))
        } catch let error as CommandFailure {
            Output.error(error.message)
            return .exit(error.exitCode)
        } catch {
            Output.error("\(error)")
            return .exit(ExitCode.refused)
        }
    }

    private static func report(_ error: UsageError) -> Int32 {
        let help = error.verb.map { "deployex help \($0)" } ?? "deployex help"
        Output.error("\(error.message) (see `\(help)`)")
        return ExitCode.usage
    }
}
