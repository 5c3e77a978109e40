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

    private static let pollInterval = Duration.milliseconds(200)

    /// Prints the last lines and, if asked to follow, what is written from then on. Each answer says
    /// where the next one begins, so that nothing is missed or comes twice.
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.client()
        let directory = StatusView(try await client.status()).directory
        let instance = try directory.instance(
            named: instance, of: setting.invocation.application)
        var output = ApplicationOutput(isRaw: isRaw)
        var start = Term.tuple([.atom("last"), .integer(lines)])
        while true {
            let answer = try await client.call(
                "read_log",
                [
                    .binary(instance.app), .integer(instance.index),
                    .atom(Atom(stream.rawValue)), start,
                ])
            guard let text = answer["text"]?.asBinary, let next = answer["next"] else {
                throw CommandFailure(
                    "\(client.name) answers in another way: is it another version of deployex?",
                    exitCode: ExitCode.refused)
            }
            if let lost = answer["lost_bytes"]?.asInteger, lost > 0 {
                Output.error("\(lost) bytes were rotated away before they could be read")
            }
            output.write(text)
            guard follows, !Output.hasLostReader else {
                output.finish()
                return .done
            }
            start = next
            // There may be more at once where a piece was cut off at its limit.
            if text.isEmpty { await setting.loop.sleep(for: Self.pollInterval) }
        }
    }
}
