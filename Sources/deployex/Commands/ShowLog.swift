internal import Deployment
internal import ExternalTermFormat
internal import Glibc
internal import Supervisor
internal import Transport

extension Verb {
    static let logs = [
        Verb(
            name: "logs",
            forms: [
                "logs [INSTANCE|APPLICATION] [--stderr] [-f] [-n N] [--raw] [--app APPLICATION]",
                "logs deployex [--stderr] [-f] [-n N]",
            ],
            summary: "show what instances have printed",
            details: """
                INSTANCE is a number, or a name such as counter-2. Without it, or with an APPLICATION,
                it shows both streams of all instances, and each line begins with where it comes from.
                -f goes on until Ctrl-C, over restarts of the instances and rotations of their logs.
                `logs deployex` is deployex's own log, and with --stderr its warnings and errors.
                """,
            argumentCount: 0...1,
            ownOptions: [
                Option("--stderr", "standard error instead of standard output, or of both"),
                Option("--follow", "go on with what is written from now on (also -f)"),
                Option("--raw", "to a terminal, too, exactly what was printed"),
                Option("--lines", "N", "how many of the last lines of each (also -n; default: 20)"),
            ],
            peer: .deployex, concernsApplication: true, words: ownLogWord,
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            ShowLog(
                source: try source(arguments), isOnlyStderr: arguments.has("--stderr"),
                follows: arguments.has("--follow"), isRaw: arguments.has("--raw"),
                lines: try arguments.integer("--lines", in: 0...ControlCall.maximumLineCount) ?? 20)
        }
    ]

    private static let ownLogWord: @Sendable () -> [String] = { [ControlCall.ownLogName] }

    private static func source(_ arguments: Arguments) throws(UsageError) -> ShowLog.Source {
        if arguments.positional.first == ControlCall.ownLogName { return .deployex }
        switch try arguments.target() {
        case .instance(let text)?: return .instance(text)
        case .all(let application)?: return .all(of: application)
        case nil: return .all(of: nil)
        }
    }
}

/// `deployex logs [INSTANCE] [--stderr] [-f] [-n N]`
struct ShowLog: Command {
    enum Source: Equatable {
        case deployex
        /// `2` or `counter-2`.
        case instance(String)
        /// Those of one application; of the one that `--app` names, or of all, when it is `nil`.
        case all(of: String?)
    }

    let source: Source
    var isOnlyStderr = false
    var follows = false
    /// Whether to print the log without making it safe for a terminal.
    var isRaw = false
    var lines = 20

    /// One log, and where to go on with it.
    private struct Log {
        var instance: String
        var stream: LogFiles.Stream
        var next: Term

        /// "counter-1 out"
        var name: String { "\(instance) \(stream == .stdout ? "out" : "err")" }
        var term: Term { .tuple([instance.term, .atom(Atom(shortEnough: stream.rawValue)), next]) }
    }

    /// Prints the last lines and, if asked to follow, everything that is written from then on. Each
    /// answer says where the next one begins, so nothing is missed or printed twice.
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        var logs = try await logs(client, setting)
        guard !logs.isEmpty else { throw CommandFailure("there are no instances") }
        let application = setting.invocation.application.map { [$0.term] } ?? []
        var output = output(for: logs)
        var shownByteCount = 0
        while true {
            let places = application + [.list(logs.map(\.term))]
            let isFirst = shownByteCount == 0
            let patience = follows && !isFirst ? Duration.seconds(60) : .zero
            let answer = try await ReaderWatch.whileReaderStays(on: setting.loop) {
                try await client.wait("read_logs", places, within: patience)
            }
            guard let answer else { break }
            let byteCount = try show(answer, of: &logs, on: &output, client)
            shownByteCount += max(byteCount, 1)
            if Output.hasLostReader { break }
            // Without following, it ends with what was there, even if more comes all the time.
            if !follows, byteCount == 0 || shownByteCount > Self.maximumByteCount { break }
        }
        output.finish()
        return .done
    }

    /// The most bytes that it shows if it does not follow.
    private static let maximumByteCount = 64 << 20

    private func logs(_ client: ControlClient, _ setting: CommandSetting) async throws -> [Log] {
        let last = Term.tuple([.atom("last"), .integer(lines)])
        func log(_ instance: String, _ stream: LogFiles.Stream) -> Log {
            Log(instance: instance, stream: stream, next: last)
        }
        let only: LogFiles.Stream = isOnlyStderr ? .stderr : .stdout
        switch source {
        case .deployex: return [log(ControlCall.ownLogName, only)]
        case .instance(let text): return [log(text, only)]
        case .all(let application):
            let status = try await client.status(of: application ?? setting.invocation.application)
            return status.applications.flatMap { application in
                application.instances.flatMap { instance in
                    let name = "\(application.name ?? "")-\(instance.number ?? 0)"
                    return isOnlyStderr
                        ? [log(name, .stderr)] : [log(name, .stdout), log(name, .stderr)]
                }
            }
        }
    }

    /// Where it is printed.
    private enum Sink {
        case plain(ApplicationOutput)
        case lines(LogLines)

        mutating func write(_ bytes: [UInt8], from index: Int) {
            switch self {
            case .plain(var output):
                output.write(bytes)
                self = .plain(output)
            case .lines(var lines):
                Output.bytes(lines.take(bytes, from: index))
                self = .lines(lines)
            }
        }

        mutating func finish() {
            switch self {
            case .plain(var output): output.finish()
            case .lines(var lines): Output.bytes(lines.finish())
            }
        }
    }

    private func output(for logs: [Log]) -> Sink {
        guard case .all = source else { return .plain(ApplicationOutput(isRaw: isRaw)) }
        let isForTerminal = !isRaw && isatty(STDOUT_FILENO) == 1
        return .lines(LogLines(names: logs.map(\.name), isForTerminal: isForTerminal))
    }

    /// - Returns: how many bytes there were.
    private func show(
        _ answer: Term, of logs: inout [Log], on output: inout Sink, _ client: ControlClient
    ) throws(CommandFailure) -> Int {
        guard let chunks = answer.asList, chunks.count == logs.count else {
            throw client.strangeAnswer
        }
        var byteCount = 0
        for (index, chunk) in chunks.enumerated() {
            guard let text = chunk["text"]?.asBinary, let next = chunk["next"] else {
                throw client.strangeAnswer
            }
            if let lost = chunk["lost_bytes"]?.asInteger, lost > 0 {
                Output.error("\(lost) bytes were rotated away before they could be read")
            }
            output.write(text, from: index)
            byteCount += text.count
            logs[index].next = next
        }
        return byteCount
    }
}

/// Ends a wait when nobody reads the output any more.
enum ReaderWatch {
    /// - Returns: what `body` returns; `nil` if the reader of stdout has gone, which cancels it.
    static func whileReaderStays<Result: Sendable>(
        on loop: EventLoop, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result? {
        let call = Task(executorPreference: loop, operation: body)
        // A file has no reader and cannot be watched.
        let token = try? loop.watch(STDOUT_FILENO, for: .onceForEach) { _ in call.cancel() }
        let answer = await call.result
        if let token { loop.unwatch(token) }
        return Output.hasLostReader ? nil : try answer.get()
    }
}
