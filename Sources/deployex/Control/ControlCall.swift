internal import Deployment
internal import ExternalTermFormat
internal import Supervisor

/// A parsed call of the module `deployex` by another node. The caller may be of any version and may
/// have made mistakes.
///
/// If there are several applications, every function takes the application first. Text may be a
/// binary, a list of characters or an atom.
enum ControlCall: Equatable {
    case status(application: String?)
    case versions(application: String?)
    /// The status, once it has another revision than this one.
    case watchStatus(application: String?, withUsage: Bool, after: Int, within: Duration)
    case command(application: String, EngineCommand)
    case stopAll
    case loginLink
    case tail(InstanceName, LogFiles.Stream, lines: Int)
    /// - Parameter limit: how long to wait for new output.
    case readLog(LogPart, within: Duration)
    /// Several logs at once. Any of them ends the waiting.
    case readLogs([LogPart], within: Duration)
    case instance(InstanceName)
    /// Compares an instance with its package.
    case verify(InstanceName)
    /// Says what would happen if a version came to an instance.
    case preflight(InstanceName, version: String)
    /// A command. Its answer also says what to wait for.
    case request(application: String, EngineCommand)
    /// Waits until the goal's applications have another revision than this one.
    case awaitGoal(CommandGoal, after: Int, within: Duration)

    /// Whose log to read, and from where.
    struct LogPart: Equatable {
        /// `nil` for deployex's own log.
        var instance: InstanceName?
        var stream: LogFiles.Stream
        var start: LogStart
    }

    /// Where to begin reading a log.
    enum LogStart: Equatable {
        /// With the last lines.
        case last(Int)
        /// Where an earlier answer ended: `{Offset, Inode}`, as it said.
        case position(LogPosition)
    }

    /// The longest name or version, in bytes: longer ones are not even parsed.
    static let maximumTextByteCount = 1024

    /// The most lines that can be asked for.
    static let maximumLineCount = 100_000

    /// How many logs one call may read.
    static let maximumLogCount = 512

    /// How many arguments a function takes, without the application.
    private static let arities = [
        "deploy": 1, "auto": 0, "rollback": 0, "unghost": 1, "restart": 1, "stop": 1, "start": 1,
        "status": 0, "watch_status": 3, "versions": 0, "tail": 3, "read_log": 3, "follow_log": 4,
        "read_logs": 2,
        "instance": 1, "verify": 1, "preflight": 2,
    ]

    /// The longest time that a call waits, in milliseconds: a caller that is gone is not waited for
    /// long.
    static let maximumWait = 60_000

    /// The call; `nil` when there is no such function with that number of arguments.
    static func parse(
        _ function: String, _ arguments: [Term], in directory: InstanceDirectory
    ) throws(ControlRefusal) -> ControlCall? {
        switch (function, arguments.count) {
        case ("stop_all", 0): return .stopAll
        case ("login_link", 0): return .loginLink
        case ("request", 2): return try request(arguments[0], arguments[1], in: directory)
        case ("await", 3):
            return .awaitGoal(
                try CommandGoal(arguments[0], in: directory), after: arguments[1].asInteger ?? 0,
                within: try wait(arguments[2]))
        default: break
        }
        guard let arity = arities[function], arity...(arity + 1) ~= arguments.count else {
            return nil
        }
        let rest = Array(arguments.suffix(arity))
        var application: String?
        if arguments.count > arity {
            guard let name = text(arguments[0]) else {
                throw ControlRefusal(
                    "an application's name is text, not \(brief(arguments[0]))")
            }
            application = try directory.application(name).name
        }
        func command(_ command: EngineCommand) throws(ControlRefusal) -> ControlCall {
            .command(application: try directory.application(application).name, command)
        }
        switch function {
        case "status": return .status(application: application)
        case "watch_status":
            guard let withUsage = rest[0].asBool else {
                throw ControlRefusal(
                    "whether to measure what is used is true or false, not \(brief(rest[0]))")
            }
            return .watchStatus(
                application: application, withUsage: withUsage, after: rest[1].asInteger ?? 0,
                within: try wait(rest[2]))
        case "read_logs":
            return .readLogs(
                try logParts(rest[0], application, directory), within: try wait(rest[1]))
        case "versions": return .versions(application: application)
        case "auto": return try command(.deploy(version: nil))
        case "rollback": return try command(.rollback)
        case "deploy":
            let version = try version(rest[0])
            return try command(.deploy(version: version == "auto" ? nil : version))
        case "unghost": return try command(.unghost(version(rest[0])))
        default:
            return try parse(
                function, of: instance(rest[0], application, directory), Array(rest.dropFirst()))
        }
    }

    private static func request(
        _ function: Term, _ arguments: Term, in directory: InstanceDirectory
    ) throws(ControlRefusal) -> ControlCall {
        guard let name = function.asAtom?.name, case .list(let list) = arguments, list.count <= 3,
            case .command(let application, let command)? = try parse(
                name, Array(list), in: directory)
        else { throw ControlRefusal("\(brief(function)) is no command with these arguments") }
        return .request(application: application, command)
    }

    /// The functions whose first argument is an instance.
    private static func parse(
        _ function: String, of instance: InstanceName, _ rest: [Term]
    ) throws(ControlRefusal) -> ControlCall? {
        switch function {
        case "restart": .command(application: instance.app, .restart(instance.number))
        case "stop": .command(application: instance.app, .stop(instance.number))
        case "start": .command(application: instance.app, .start(instance.number))
        case "tail": .tail(instance, try stream(rest[0]), lines: try count(rest[1]))
        case "read_log":
            .readLog(try logPart(instance, rest[0], rest[1]), within: .zero)
        case "follow_log":
            .readLog(try logPart(instance, rest[0], rest[1]), within: try wait(rest[2]))
        case "instance": .instance(instance)
        case "verify": .verify(instance)
        case "preflight": .preflight(instance, version: try version(rest[0]))
        default: preconditionFailure("\(function) has an arity but no meaning")
        }
    }

    // MARK: Arguments

    private static func text(_ term: Term) -> String? {
        term.asAtom?.name ?? term.shortText(maximumByteCount: maximumTextByteCount)
    }

    private static func version(_ term: Term) throws(ControlRefusal) -> String {
        guard let version = text(term), Release.isVersion(version) else {
            throw ControlRefusal(
                "a version is text of letters, digits and ._+~-, not \(brief(term))")
        }
        return version
    }

    private static func instance(
        _ term: Term, _ application: String?, _ directory: InstanceDirectory
    ) throws(ControlRefusal) -> InstanceName {
        if let number = term.asInteger {
            return try directory.instance(number, of: application)
        }
        guard let name = text(term) else {
            throw ControlRefusal(
                "an instance is a number or a name as text, not \(brief(term))")
        }
        return try directory.instance(named: name, of: application)
    }

    private static func stream(
        _ term: Term
    ) throws(ControlRefusal) -> LogFiles.Stream {
        guard let name = text(term), let stream = LogFiles.Stream(rawValue: name) else {
            throw ControlRefusal("a stream is stdout or stderr, not \(brief(term))")
        }
        return stream
    }

    /// How long to wait, in milliseconds.
    private static func wait(_ term: Term) throws(ControlRefusal) -> Duration {
        .milliseconds(try number(term, "a time", upTo: maximumWait, " milliseconds"))
    }

    private static func count(_ term: Term) throws(ControlRefusal) -> Int {
        try number(term, "a number of lines", upTo: maximumLineCount)
    }

    private static func number(
        _ term: Term, _ what: String, upTo maximum: Int, _ unit: String = ""
    ) throws(ControlRefusal) -> Int {
        guard let number = term.asInteger, 0...maximum ~= number else {
            throw ControlRefusal("\(what) is 0 to \(maximum)\(unit), not \(brief(term))")
        }
        return number
    }

    private static func logPart(
        _ instance: InstanceName?, _ stream: Term, _ start: Term
    ) throws(ControlRefusal) -> LogPart {
        LogPart(
            instance: instance, stream: try self.stream(stream), start: try logStart(start))
    }

    /// `[{Instance, Stream, Start}]`, where the instance may be `deployex` for its own log.
    private static func logParts(
        _ term: Term, _ application: String?, _ directory: InstanceDirectory
    ) throws(ControlRefusal) -> [LogPart] {
        guard case .list(let list) = term, 1...maximumLogCount ~= list.count else {
            throw ControlRefusal(
                "logs are a list of {Instance,Stream,Start}, \(maximumLogCount) at most")
        }
        var parts: [LogPart] = []
        for element in list {
            guard case .tuple(let fields) = element, fields.count == 3 else {
                throw ControlRefusal("a log is {Instance,Stream,Start}, not \(brief(element))")
            }
            let isOwn = text(fields[0]) == ownLogName
            let instance = isOwn ? nil : try instance(fields[0], application, directory)
            parts.append(try logPart(instance, fields[1], fields[2]))
        }
        return parts
    }

    /// What stands for deployex itself where an instance could stand.
    static let ownLogName = "deployex"

    /// `{last, N}`, or the `next` of an earlier answer.
    private static func logStart(_ term: Term) throws(ControlRefusal) -> LogStart {
        if case .tuple(let fields) = term, fields.count == 2, fields[0] == .atom("last") {
            return .last(try count(fields[1]))
        }
        guard let fields = term.asTuple, fields.count == 2, let offset = fields[0].asInteger,
            let inode = fields[1].asUInt64, offset >= 0
        else { throw ControlRefusal("a position is {last,N}, or what an answer gave as next") }
        return .position(LogPosition(offset: Int64(offset), inode: inode))
    }

    private static func brief(_ term: Term) -> String {
        term.erlangText(maximumByteCount: 64)
    }
}
