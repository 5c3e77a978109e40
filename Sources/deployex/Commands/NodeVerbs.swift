internal import Deployment
internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

extension Verb {
    /// Verbs that each ask something of one node and print the answer.
    static let nodes = [
        Verb(
            name: "ping", forms: ["ping NODE"], summary: "check that a node answers",
            details: """
                Prints pong when NODE answers. NODE is NAME@HOST, NAME on this host, or NAME@HOST:PORT
                to reach a node that is not registered with EPMD. An IPv6 address is NAME@ADDRESS, or
                NAME@[ADDRESS]:PORT. A node that gives no names (of C, Java or Python) needs --sname.
                """,
            argumentCount: 1...1, peer: .anyNode
        ) { Ping(node: $0.positional[0]) },
        Verb(
            name: "probe", forms: ["probe NODE [--app APPLICATION] [--json]"],
            summary: "check a node over the distribution",
            details: """
                One line (or JSON) with boot, application, memory, run queue, processes and atoms.
                Exit status 0: healthy. 1: it answers but is not healthy. 3: it does not answer.
                --app also demands that APPLICATION is started.
                """,
            argumentCount: 1...1,
            ownOptions: [
                Option("--app", "APPLICATION", "demand that this application is started"), .json,
            ],
            peer: .anyNode
        ) {
            Probe(
                node: $0.positional[0], application: $0.values["--app"], asJSON: $0.has("--json"))
        },
        Verb(
            name: "rpc", forms: ["rpc NODE MODULE FUNCTION [ARGUMENTS]"],
            summary: "call a function on a node and print its result",
            details: """
                ARGUMENTS is the list of arguments in Erlang syntax, [] when left out:
                  deployex rpc peer@host lists reverse '[[1,2,3]]'
                MODULE and FUNCTION are as they are, or in quotes as Erlang has them: "'a b'".
                What the function prints goes to stdout before the result. An exception prints the
                Erlang term on stderr and gives exit status 1.
                """,
            argumentCount: 3...4, peer: .anyNode
        ) {
            RemoteCall(
                node: $0.positional[0], module: $0.positional[1], function: $0.positional[2],
                arguments: $0.positional.count > 3 ? $0.positional[3] : "[]")
        },
    ]
}

/// `deployex ping NODE`
struct Ping: Command {
    let node: String

    func run(_ setting: CommandSetting) async throws -> Ending {
        let context = try await setting.context()
        let name = try context.name(node)
        do throws(CallError) {
            try await context.node.ping(name, timeout: context.timeout)
        } catch {
            throw CommandFailure(error, node: name)
        }
        Output.line("pong")
        return .done
    }
}

/// `deployex rpc NODE MODULE FUNCTION [ARGUMENTS]`
struct RemoteCall: Command {
    let node: String
    let module: String
    let function: String
    let arguments: String

    func run(_ setting: CommandSetting) async throws -> Ending {
        let context = try await setting.context()
        let name = try context.name(node)
        let arguments = try Self.arguments(arguments)
        let (module, function) = (try Self.module(module), try Self.atom(function, "FUNCTION"))
        let printed = Guarded(ApplicationOutput())
        let result = try await context.call(
            name, module, function, arguments,
            output: { text in printed.withLock { $0.write(Array(text.utf8)) } })
        printed.withLock { $0.finish() }
        Output.line(result.description)
        return .done
    }

    /// The argument list, in Erlang syntax.
    private static func arguments(_ text: String) throws(UsageError) -> [Term] {
        let term: Term
        do {
            term = try Term(text: text)
        } catch {
            throw UsageError("the arguments are not an Erlang term: \(error)", "rpc")
        }
        guard let arguments = term.asList else {
            throw UsageError("the arguments are a list, such as '[[1,2,3]]', not \(text)", "rpc")
        }
        return arguments
    }

    /// `lists`, `'Elixir.Counter'`, or `Counter.Server` as Elixir writes it.
    static func module(_ text: String) throws(UsageError) -> Atom {
        let isElixir = text.first?.isUppercase == true && !text.hasPrefix("Elixir.")
        return try atom(isElixir ? "Elixir." + text : text, "MODULE")
    }

    /// The text itself; in quotes, what Erlang reads them as.
    static func atom(_ text: String, _ what: String) throws(UsageError) -> Atom {
        guard text.hasPrefix("'") else {
            do throws(TermError) {
                return try Atom(text)
            } catch {
                throw UsageError(
                    "\(what) has at most \(Atom.maximumLength) characters, not"
                        + " \(text.unicodeScalars.count)", "rpc")
            }
        }
        do throws(TextError) {
            if text.hasSuffix("'"), case .atom(let atom) = try Term(text: text) { return atom }
        } catch {
            throw UsageError("\(what) is not an atom: \(error)", "rpc")
        }
        throw UsageError("\(what) is not an atom: what begins with a quote ends with one", "rpc")
    }
}

/// `deployex probe NODE [--app APP]`
struct Probe: Command {
    let node: String
    let application: String?
    let asJSON: Bool

    func run(_ setting: CommandSetting) async throws -> Ending {
        let context = try await setting.context()
        let name = try context.name(node)
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
        Output.line(asJSON ? report.term.json : report.line)
        return report.isHealthy ? .done : .exit(ExitCode.refused)
    }
}
