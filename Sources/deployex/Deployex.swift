internal import Glibc
internal import Transport

@main
struct Deployex {
    /// The main thread becomes the event loop's thread; whatever is done is done on it.
    static func main() {
        let invocation: Invocation
        do throws(UsageError) {
            invocation = try Invocation(arguments: Array(CommandLine.arguments.dropFirst()))
        } catch {
            exit(report(error))
        }
        switch invocation.command {
        case .help(let command):
            Output.line(HelpText.text(for: command))
        case .version:
            Output.line("deployex \(HelpText.version)")
        case .completion(let shell):
            Output.line(shell.completionScript)
        case .start, .status, .ping, .probe, .rpc, .names, .epmd:
            exit(runOnLoop(invocation))
        }
    }

    private static func runOnLoop(_ invocation: Invocation) -> Int32 {
        // A reader that went away is an error of write(2), not the end of us.
        signal(SIGPIPE, SIG_IGN)
        if invocation.command == .start { SignalWatch.block(Server.endingSignals) }
        let loop: EventLoop
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            Output.error("\(error)")
            return ExitCode.unreachable
        }
        // Written by the task before the loop stops, read after it has stopped, on the same thread.
        nonisolated(unsafe) var code = ExitCode.done
        Task(executorPreference: loop) {
            code = await run(invocation, on: loop)
            loop.stop()
        }
        loop.run()
        return code
    }

    private static func run(_ invocation: Invocation, on loop: EventLoop) async -> Int32 {
        let environment = ProcessEnvironment.variables
        do {
            switch invocation.command {
            case .start:
                let console = ConsoleLog()
                defer { console.flush() }
                return try await Server(
                    invocation, environment: environment, console: console, loop: loop
                ).run()
            case .names(let host):
                return try await EPMDCommands(environment: environment, loop: loop).names(
                    host: host)
            case .epmd(let daemon):
                return try await EPMDCommands(environment: environment, loop: loop)
                    .serve(inBackground: daemon)
            case .ping, .probe, .rpc, .status:
                let context = try CommandContext(invocation, environment: environment, loop: loop)
                return try await run(invocation, NodeCommands(context: context))
            case .help, .version, .completion:
                preconditionFailure("These need no event loop")
            }
        } catch let error as UsageError {
            return report(error)
        } catch let error as CommandFailure {
            Output.error(error.message)
            return error.exitCode
        } catch {
            Output.error("\(error)")
            return ExitCode.refused
        }
    }

    private static func run(_ invocation: Invocation, _ commands: NodeCommands) async throws
        -> Int32
    {
        switch invocation.command {
        case .ping(let node):
            return try await commands.ping(node)
        case .probe(let node, let application, let json):
            return try await commands.probe(node, application: application, json: json)
        case .rpc(let node, let module, let function, let arguments):
            return try await commands.rpc(
                node, module: module, function: function, arguments: arguments)
        case .status(let json):
            return try await commands.status(
                target: invocation.distribution.target, json: json)
        case .start, .names, .epmd, .completion, .version, .help:
            preconditionFailure("These talk to no node")
        }
    }

    private static func report(_ error: UsageError) -> Int32 {
        let help = error.command.map { "deployex help \($0.rawValue)" } ?? "deployex help"
        Output.error("\(error.message) (see `\(help)`)")
        return ExitCode.usage
    }
}
