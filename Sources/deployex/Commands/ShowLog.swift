internal import Deployment
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

extension Verb {
    static let logs = [
        Verb(
            name: "logs",
            forms: ["logs INSTANCE [--stderr] [-f] [-n N] [--raw] [--app APPLICATION]"],
            summary: "show what an instance has printed",
            details: """
                INSTANCE is a number, or a name such as counter-2. -f goes on until Ctrl-C, over
                restarts of the instance and rotations of its log.
                """,
            argumentCount: 1...1,
            ownOptions: [
                Option("--stderr", "standard error instead of standard output"),
                Option("--follow", "go on with what is written from now on (also -f)"),
                Option("--raw", "to a terminal, too, exactly what was printed"),
                Option("--lines", "N", "how many of the last lines (also -n; default: 20)"),
            ],
            peer: .deployex, concernsApplication: true, askedWords: .instances
        ) { (arguments) throws(UsageError) in
            ShowLog(
                instance: try arguments.instance(arguments.positional[0]),
                stream: arguments.has("--stderr") ? .stderr : .stdout,
                follows: arguments.has("--follow"), isRaw: arguments.has("--raw"),
                lines: try arguments.integer("--lines", in: 0...ControlCall.maximumLineCount) ?? 20)
        }
    ]
}

/// `deployex logs INSTANCE [--stderr] [-f] [-n N]`
struct ShowLog: Command {
    /// `2` or `counter-2`.
    let instance: String
    var stream = LogFiles.Stream.stdout
    var follows = false
    /// Not made safe for a terminal.
    var isRaw = false
    var lines = 20

    /// Prints the last lines and, if asked to follow, what is written from then on. Each answer says
    /// where the next one begins, so that nothing is missed or comes twice.
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.client()
        var output = ApplicationOutput(isRaw: isRaw)
        let log =
            [setting.invocation.application, instance].compactMap { $0?.term }
            + [.atom(Atom(stream.rawValue))]
        var answer = try await client.call(
            "read_log", log + [.tuple([.atom("last"), .integer(lines)])])
        while true {
            guard let text = answer["text"]?.asBinary, let next = answer["next"] else {
                throw client.strangeAnswer
            }
            if let lost = answer["lost_bytes"]?.asInteger, lost > 0 {
                Output.error("\(lost) bytes were rotated away before they could be read")
            }
            output.write(text)
            guard follows, !Output.hasLostReader else {
                output.finish()
                return .done
            }
            let wait = ControlClient.wait(within: Self.patience)
            answer = try await client.call(
                "follow_log", log + [next, .integer(wait)],
                timeout: client.context.timeout + .milliseconds(wait))
        }
    }

    /// Whether the reader of the output has gone is looked at as often, when nothing is written.
    private static let patience = Duration.seconds(1)
}
