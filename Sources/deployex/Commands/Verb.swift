internal import Transport

/// One of the user's commands: how it is written, what `help` and completion say about it, and what
/// it does. Everything about a command is in this value; parsing, help and completion read ``all``.
struct Verb: Sendable {
    /// Which node a command talks to.
    enum Peer {
        case nobody, anyNode
        /// The deployex node.
        case deployex
    }

    struct Option: Sendable {
        var name: String
        /// The placeholder for the option's value; `nil` for a flag.
        var value: String?
        var text: String

        init(_ name: String, _ value: String, _ text: String) {
            self.name = name
            self.value = value
            self.text = text
        }

        init(_ flag: String, _ text: String) {
            name = flag
            self.text = text
        }

        static let json = Option("--json", "print JSON")
    }

    let name: String
    /// Other names for it, which people know from other tools.
    var aliases: [String] = []
    /// What follows the program's name, in each form of the command.
    let forms: [String]
    let summary: String
    var details = ""
    /// How many arguments it takes, without options.
    var argumentCount = 0...0
    /// The options that it does not share with others.
    var ownOptions: [Option] = []
    var peer = Peer.nobody
    /// Whether it is about one application, which must be named if there are several.
    var concernsApplication = false
    /// How long it waits for its effect; `nil` when it only waits for an answer.
    var patience: Duration?
    /// The values that its argument may have.
    var words: @Sendable () -> [String] = { [] }
    /// The kind of names that its argument is one of, if only the running system knows them.
    var askedWords: CompletionWords?
    /// Parses the arguments. There are as many of them as ``argumentCount`` says.
    let read: @Sendable (Arguments) throws(UsageError) -> any Command

    /// In the order of the help.
    static let all: [Verb] =
        server + showing + watching + describing + verifying + [preflight] + changing
        + publishing + signing + notifying + logs + remote
        + login
        + nodes + epmd
        + about

    /// What stands for every instance.
    static let allWord: @Sendable () -> [String] = { ["all"] }

    static func named(_ name: String) -> Verb? {
        all.first { $0.name == name || $0.aliases.contains(name) }
    }

    /// Every name that a command has.
    static var allNames: [String] { all.flatMap { [$0.name] + $0.aliases } }

    /// The forms in one line, for error messages.
    var usage: String { forms.map { "deployex " + $0 }.joined(separator: " or ") }

    var options: [Option] {
        var options = ownOptions
        if concernsApplication {
            options.append(Option("--app", "APPLICATION", "which one, where there are several"))
        }
        if peer == .deployex {
            options.append(
                Option("--node", "NODE", "the deployex node (default: deployex on this host)"))
        }
        if patience != nil { options.append(Option("--no-wait", "return as soon as it has begun")) }
        if peer != .nobody {
            let own = name == "start" ? "deployex" : "a name that the other node gives"
            let patience = patience.map { "how long to wait (default: \($0.components.seconds))" }
            options += [
                Option("--sname", "NAME", "own short node name (default: \(own))"),
                Option("--name", "NAME@HOST", "own long node name"),
                Option(
                    "--cookie", "COOKIE", "default: the one of deployex; a file is safer (see docs)"
                ),
                Option(
                    "--tls-options", "FILE",
                    "mutual TLS with these options, as -ssl_dist_optfile"),
                Option(
                    "--timeout", "SECONDS",
                    patience ?? "how long to wait for an answer (default: 5)"),
            ]
        }
        return options + [Option("--help", "show this text")]
    }
}

/// A verb with its parsed arguments: something to do.
protocol Command: Equatable, Sendable {
    /// Called before the loop starts, when there is no other thread yet.
    func prepare() throws(SystemError)
    /// Called on the loop's thread.
    func run(_ setting: CommandSetting) async throws -> Ending
}

extension Command {
    func prepare() throws(SystemError) {}

    func isEqual(to other: any Command) -> Bool { self == other as? Self }
}

/// What happens after a command.
enum Ending {
    case exit(Int32)
    /// This process becomes another program.
    case replacement(Replacement)

    static let done = Ending.exit(ExitCode.done)
}

/// What a command runs with.
struct CommandSetting: Sendable {
    let invocation: Invocation
    /// This process's environment.
    let environment: [String: String]
    let loop: EventLoop

    func context(needsCookie: Bool = true) async throws(UsageError) -> CommandContext {
        try await CommandContext(
            invocation, environment: environment, needsCookie: needsCookie, loop: loop)
    }

    /// The deployex of this host. It blocks for a moment.
    func local() throws(UsageError) -> LocalDeployex { try LocalDeployex.find(environment) }

    /// A client for the deployex node that is meant.
    func client() async throws(UsageError) -> ControlClient {
        try await ControlClient(
            context(needsCookie: invocation.distribution.target != nil),
            target: invocation.distribution.target)
    }
}
