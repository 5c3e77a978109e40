internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// Asks the deployex node, by the same calls that any other node may make.
struct ControlClient {
    let context: CommandContext
    let name: NodeName
    /// Whether it is the deployex of this host.
    let isLocal: Bool

    /// - Parameter target: the node's name; the deployex of this host when `nil`.
    init(_ context: CommandContext, target: String?) throws(UsageError) {
        self.context = context
        isLocal = target == nil
        name = try context.name(target ?? context.local.record?.node ?? "deployex")
    }

    /// The state of everything, or of one application.
    func status(of application: String? = nil) async throws(CommandFailure) -> StatusReport {
        StatusReport(reading: try await call("status", application.map { [$0.term] } ?? []))
    }

    /// Asks for a change.
    /// - Returns: what deployex says, and the goal to wait for; `null` for none.
    func request(
        _ function: Atom, _ arguments: [Term]
    ) async throws(CommandFailure) -> (text: String, goal: Term) {
        let answer = try await call("request", [.atom(function), .list(arguments)])
        guard let text = answer["text"]?.asText, let goal = answer["goal"] else {
            throw strangeAnswer
        }
        return (text, goal)
    }

    /// What a function answers together with `ok`.
    /// - Throws: ``CommandFailure`` with the text that the function answers together with `error`.
    func call(
        _ function: Atom, _ arguments: [Term], timeout: Duration? = nil
    ) async throws(CommandFailure) -> Term {
        let answer: Term
        do throws(CommandFailure) {
            answer = try await context.call(
                name, "deployex", function, arguments, timeout: timeout)
        } catch {
            throw explained(error)
        }
        guard case .tuple(let fields) = answer, fields.count == 2 else { return answer }
        switch fields[0].asAtom?.name {
        case "ok": return fields[1]
        case "ending":
            throw CommandFailure(unreachable: fields[1].asText ?? "\(name) is ending")
        case "error": throw CommandFailure(fields[1].asText ?? fields[1].description)
        default: return answer
        }
    }

    /// Says that deployex is not running, where that is why it cannot be reached.
    private func explained(_ failure: CommandFailure) -> CommandFailure {
        let local = context.local
        guard isLocal, failure.exitCode == ExitCode.unreachable else { return failure }
        if local.hasEnded {
            return CommandFailure(
                unreachable:
                    "deployex is not running: start it with `deployex start`, or as the service "
                    + "that it is (it was \(name), in \(local.base); for another one, set "
                    + "DEPLOYEX_BASE_PATH); \(failure.message)")
        }
        guard local.record == nil else { return failure }
        if let user = local.otherUser {
            return CommandFailure(
                unreachable: "the deployex of this host is \(user)'s, who may give it commands, as "
                    + "root may: run `sudo -u \(user) deployex …` (\(failure.message))")
        }
        let obstacle = local.obstacle.map { " (\($0))" } ?? ""
        return CommandFailure(
            unreachable: "\(failure.message); if deployex is not running, start it with "
                + "`deployex start`\(obstacle)")
    }

    /// The longest time that one call waits.
    private static let longestWait = Duration.seconds(20)

    /// Makes a call that deployex answers when something happens, or after `patience` at the
    /// latest. The time in milliseconds is added as the call's last argument.
    func wait(
        _ function: Atom, _ arguments: [Term], within patience: Duration
    ) async throws(CommandFailure) -> Term {
        let milliseconds = Int(max(.zero, min(patience, Self.longestWait)).inSeconds * 1000)
        return try await call(
            function, arguments + [.integer(milliseconds)],
            timeout: context.timeout + .milliseconds(milliseconds))
    }

    /// Waits until `goal` is decided, but not longer than `patience`, and shows the progress.
    /// - Parameter goal: as deployex gave it.
    /// - Returns: the outcome.
    func wait(for goal: Term, within patience: Duration) async throws(CommandFailure) -> String {
        let progress = Progress(on: context.loop)
        defer { progress.clear() }
        let deadline = MonotonicTime.now + patience
        var seen = 0
        while true {
            let answer = try await wait(
                "await", [goal, .integer(seen)], within: deadline - .now)
            guard let (verdict, revision) = CommandGoal.Verdict.read(answer) else {
                throw strangeAnswer
            }
            switch verdict {
            case .done(let text): return text
            case .failed(let text): throw CommandFailure(text)
            case .waiting(let text):
                guard MonotonicTime.now < deadline else {
                    throw CommandFailure(
                        "\(text) after \(Self.text(patience)); deployex goes on with it: see "
                            + "`deployex status`")
                }
                progress.show(text)
            }
            seen = revision
        }
    }

    var strangeAnswer: CommandFailure {
        CommandFailure("\(name) answers in another way: is it another version of deployex?")
    }

    /// "120 s", "0.5 s"
    private static func text(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
