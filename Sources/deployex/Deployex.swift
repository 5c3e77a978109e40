internal import Glibc
internal import Supervisor
internal import Transport

@main
struct Deployex {
    /// The main thread becomes the event loop's thread; whatever is done is done on it.
    static func main() {
        // Before all else: whoever looks later sees no cookie.
        let arguments = ArgumentSecrets.take()
        let invocation: Invocation
        do throws(UsageError) {
            invocation = try Invocation(arguments: Array(arguments.dropFirst()))
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
        case .start, .status, .versions, .order, .logs, .remote, .ping, .probe, .rpc, .names,
            .epmd, .completionWords:
            switch runOnLoop(invocation) {
            case .exit(let code): exit(code)
            case .replacement(let program): exit(program.execute())
            }
        }
    }

    /// What comes after a command.
    private enum Ending {
        case exit(Int32)
        case replacement(Replacement)
    }

    private static func runOnLoop(_ invocation: Invocation) -> Ending {
        // A reader that went away is an error of write(2), not the end of us.
        signal(SIGPIPE, SIG_IGN)
        if case .start = invocation.command { SignalWatch.block(Server.endingSignals) }
        if case .epmd = invocation.command {
            // The kernel knows it by the link that it was started by.
            OwnProcess.setName("deployex")
            do throws(SystemError) {
                try RootRights.renounceNewOnes()
            } catch {
                Output.error("\(error)")
                return .exit(ExitCode.refused)
            }
        }
        let loop: EventLoop
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            Output.error("\(error)")
            return .exit(ExitCode.unreachable)
        }
        // Written by the task before the loop stops, read after it has stopped, on the same thread.
        nonisolated(unsafe) var ending = Ending.exit(ExitCode.done)
        Task(executorPreference: loop) {
            ending = await run(invocation, on: loop)
            loop.stop()
        }
        loop.run()
        return ending
    }

    private static func run(_ invocation: Invocation, on loop: EventLoop) async -> Ending {
        let environment = ProcessEnvironment.variables
        do {
            guard case .remote(let instance) = invocation.command else {
                return .exit(try await code(of: invocation, environment, on: loop))
            }
            let context = try CommandContext(invocation, environment: environment, loop: loop)
            let command = RemoteCommand(
                client: try ControlClient(context, target: invocation.distribution.target),
                application: invocation.application, environment: environment)
            return .replacement(try await command.program(instance))
        } catch let error as UsageError {
            return .exit(report(error))
        } catch let error as CommandFailure {
            Output.error(error.message)
            return .exit(error.exitCode)
        } catch let error as ControlRefusal {
            Output.error(error.message)
            return .exit(ExitCode.refused)
        } catch {
            Output.error("\(error)")
            return .exit(ExitCode.refused)
        }
    }

    private static func code(
        of invocation: Invocation, _ environment: [String: String], on loop: EventLoop
    ) async throws -> Int32 {
        switch invocation.command {
        case .start:
            // Before anything is made or read.
            let conditions = StartConditions.close()
            let console = ConsoleLog()
            defer { console.flush() }
            return try await Server(
                invocation, environment: environment, conditions: conditions, console: console,
                loop: loop
            ).run()
        case .names(let host):
            return try await EPMDCommands(environment: environment, loop: loop).names(host: host)
        case .epmd(let daemon):
            return try await EPMDCommands(environment: environment, loop: loop)
                .serve(inBackground: daemon)
        case .ping, .probe, .rpc:
            let context = try CommandContext(invocation, environment: environment, loop: loop)
            return try await run(invocation, NodeCommands(context: context))
        case .status, .versions, .order, .logs, .completionWords:
            let context = try CommandContext(invocation, environment: environment, loop: loop)
            return try await run(
                invocation, ControlClient(context, target: invocation.distribution.target))
        case .remote, .help, .version, .completion:
            preconditionFailure("These have been carried out elsewhere")
        }
    }

    private static func run(
        _ invocation: Invocation, _ commands: NodeCommands
    ) async throws -> Int32 {
        switch invocation.command {
        case .ping(let node):
            return try await commands.ping(node)
        case .probe(let node, let application, let json):
            return try await commands.probe(node, application: application, json: json)
        case .rpc(let node, let module, let function, let arguments):
            return try await commands.rpc(
                node, module: module, function: function, arguments: arguments)
        case .start, .status, .versions, .order, .logs, .remote, .names, .epmd, .completion,
            .completionWords, .version, .help:
            preconditionFailure("These talk to no node of the user's choice")
        }
    }

    private static func run(
        _ invocation: Invocation, _ client: ControlClient
    ) async throws -> Int32 {
        let application = invocation.application
        let commands = ControlCommands(
            client: client, application: application, patience: invocation.timeout)
        switch invocation.command {
        case .status(let json):
            return try await commands.status(json: json)
        case .versions(let json):
            return try await commands.versions(json: json)
        case .order(let order, let waits):
            return try await commands.run(order, waits: waits)
        case .logs(let request):
            return try await LogCommand(client: client, application: application).run(request)
        case .completionWords(let words):
            return await commands.words(words)
        case .start, .remote, .ping, .probe, .rpc, .names, .epmd, .completion, .version, .help:
            preconditionFailure("These ask deployex for nothing")
        }
    }

    private static func report(_ error: UsageError) -> Int32 {
        let help = error.command.map { "deployex help \($0.rawValue)" } ?? "deployex help"
        Output.error("\(error.message) (see `\(help)`)")
        return ExitCode.usage
    }
}
