internal import Deployment
internal import ExternalTermFormat
internal import Glibc
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
                instance: try arguments.instance(),
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
    /// Whether to print the log without making it safe for a terminal.
    var isRaw = false
    var lines = 20

    /// Prints the last lines and, if asked to follow, everything that is written from then on. Each
    /// answer says where the next one begins, so nothing is missed or printed twice.
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        var output = ApplicationOutput(isRaw: isRaw)
        let log =
            [setting.invocation.application, instance].compactMap { $0?.term }
            + [.atom(Atom(shortEnough: stream.rawValue))]
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
            guard follows, !Output.hasLostReader,
                let more = try await follow(log + [next], client, setting.loop)
            else {
                output.finish()
                return .done
            }
            answer = more
        }
    }

    /// What is written next; `nil` when the reader of the output is gone.
    private func follow(
        _ place: [Term], _ client: ControlClient, _ loop: EventLoop
    ) async throws -> Term? {
        let call = Task(executorPreference: loop) {
            try await client.wait("follow_log", place, within: .seconds(60))
        }
        // A file has no reader and cannot be watched.
        let token = try? loop.watch(STDOUT_FILENO, for: .onceForEach) { _ in call.cancel() }
        let answer = await call.result
        if let token { loop.unwatch(token) }
        return Output.hasLostReader ? nil : try answer.get()
    }
}
