internal import Deployment
internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// The short-lived commands: each asks something of one node and prints the answer.
struct NodeCommands {
    let context: CommandContext

    /// `deployex ping NODE`
    func ping(_ text: String) async throws -> Int32 {
        let name = try context.name(text)
        do throws(CallError) {
            try await context.node.ping(name, timeout: context.timeout)
        } catch {
            throw CommandFailure(error, node: name)
        }
        Output.line("pong")
        return ExitCode.done
    }

    /// `deployex rpc NODE MODULE FUNCTION [ARGUMENTS]`
    func rpc(
        _ text: String, module: String, function: String, arguments: String
    ) async throws -> Int32 {
        let name = try context.name(text)
        let arguments = try Self.arguments(arguments)
        let printed = Guarded(ApplicationOutput())
        let result = try await context.call(
            name, Self.module(module), Atom(function), arguments,
            output: { text in printed.withLock { $0.write(Array(text.utf8)) } })
        printed.withLock { $0.finish() }
        Output.line(result.description)
        return ExitCode.done
    }

    /// `deployex probe NODE [--app APP]`
    func probe(_ text: String, application: String?, json: Bool) async throws -> Int32 {
        let name = try context.name(text)
        do throws(CallError) {
            try await context.node.connect(to: name)
        } catch {
            throw CommandFailure(error, node: name)
        }
        let probe = HealthProbe(
            node: DistributedNode(name, from: context.node), timeout: context.timeout)
        let health: Health
        do throws(RemoteCallError) {
            health = try await probe.report()
        } catch {
            let isAnswer = if case .exception = error { true } else { false }
            throw CommandFailure(
                "\(name): \(error)",
                exitCode: isAnswer ? ExitCode.refused : ExitCode.unreachable)
        }
        let report = HealthReport(node: name.text, application: application, health: health)
        Output.line(json ? report.term.json : report.line)
        return report.isHealthy ? ExitCode.done : ExitCode.refused
    }

    /// The argument list, in Erlang syntax.
    private static func arguments(_ text: String) throws(UsageError) -> [Term] {
        let term: Term
        do {
            term = try Term(text: text)
        } catch {
            throw UsageError("the arguments are not an Erlang term: \(error)", .rpc)
        }
        guard let arguments = term.asList else {
            throw UsageError("the arguments are a list, such as '[[1,2,3]]', not \(text)", .rpc)
        }
        return arguments
    }

    /// `lists`, `'Elixir.Counter'`, or `Counter.Server` as Elixir writes it.
    private static func module(_ text: String) -> Atom {
        if text.hasPrefix("'"), text.hasSuffix("'"), text.count > 2 {
            return Atom(String(text.dropFirst().dropLast()))
        }
        let isElixir = text.first?.isUppercase == true && !text.hasPrefix("Elixir.")
        return Atom(isElixir ? "Elixir." + text : text)
    }
}
