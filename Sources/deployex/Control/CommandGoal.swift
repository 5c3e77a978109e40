internal import Deployment
internal import ExternalTermFormat
internal import Supervisor

/// What a command waits for: one look at the applications after another decides whether it has come.
///
/// deployex gives it to whoever asks for a command, and takes it back when that caller waits.
enum CommandGoal: Equatable {
    /// All instances of the application run the version; `nil` where none is published yet, so that
    /// there is nothing to wait for.
    case version(String?, of: String)
    /// A process other than this one, ready.
    case restarted(InstanceName, replacing: Int?)
    case idle(InstanceName)
    case running(InstanceName)
    /// Every instance of every application is idle; or has begun to stop, at least.
    case allIdle(orStopping: Bool)

    enum Verdict: Equatable {
        /// How far it is.
        case waiting(String)
        case done(String)
        /// It will not come, and why.
        case failed(String)
    }

    /// - Parameters:
    ///   - before: the application as it was before the command.
    ///   - after: as it is now that it has been decided.
    init?(
        _ command: EngineCommand, of application: String, before: ApplicationSnapshot?,
        after: ApplicationSnapshot?
    ) {
        func instance(_ number: Int) -> InstanceName {
            InstanceName(app: application, index: number)
        }
        switch command {
        case .deploy(let version):
            self = .version(version ?? after?.targetVersion, of: application)
        case .rollback:
            self = .version(after?.targetVersion, of: application)
        case .restart(let number):
            let found = before?.instances.first { $0.number == number }
            self = .restarted(instance(number), replacing: found?.pid)
        case .stop(let number): self = .idle(instance(number))
        case .start(let number): self = .running(instance(number))
        case .unghost: return nil
        }
    }

    /// The applications that it is about, among all that there are.
    func applications(among all: [String]) -> [String] {
        switch self {
        case .version(_, let application): [application]
        case .restarted(let name, _), .idle(let name), .running(let name): [name.app]
        case .allIdle: all
        }
    }

    // MARK: Judging

    func judge(_ applications: [ApplicationSnapshot]) -> Verdict {
        switch self {
        case .version(nil, _):
            return .done("no version is published yet")
        case .version(let version?, let application):
            return judge(application, applications) { Self.judge(version, $0) }
        case .restarted(let name, let pid):
            return judge(name, applications) { instance in
                guard instance.status == .running, let new = instance.pid, new != pid
                else { return nil }
                return "runs again as OS process \(new)"
            }
        case .idle(let name):
            return judge(name, applications) { $0.status == .idle ? "is stopped" : nil }
        case .running(let name):
            return judge(name, applications) { $0.status == .running ? "is running" : nil }
        case .allIdle(let orStopping):
            let left = applications.flatMap { application in
                application.instances.filter { $0.status != .idle }
                    .map { (name: "\(application.application)-\($0.number)", status: $0.status) }
            }
            if left.allSatisfy({ orStopping && $0.status == .stopping }) { return .done("") }
            return .waiting(
                left.map { "\($0.name) is \($0.status)" }.joined(separator: ", "))
        }
    }

    private func judge(
        _ application: String, _ applications: [ApplicationSnapshot],
        _ body: (ApplicationSnapshot) -> Verdict
    ) -> Verdict {
        guard let found = applications.first(where: { $0.application == application }) else {
            return .failed("\(application) is no longer one of its applications")
        }
        return body(found)
    }

    private static func judge(_ version: String, _ found: ApplicationSnapshot) -> Verdict {
        let application = found.application
        // What is the target is not ghosted: an entry of that version is of another hash.
        if found.targetVersion != version {
            if let ghost = found.ghosted.last(where: { $0.version == version }) {
                return .failed("\(application) \(version) was taken back: \(ghost.reason)")
            }
            return .failed(
                "\(application) is to run \(found.targetVersion ?? "nothing") by now, not \(version)"
            )
        }
        // An instance that an operator has stopped stays stopped.
        let wanted = found.instances.filter { !$0.isStopped }
        let there = wanted.filter { $0.current?.version == version }
        let ready = there.count { $0.status == .running }
        let count = "\(application) \(version) runs on \(ready) of \(wanted.count) instances"
        if ready == wanted.count { return .done(count) }
        let others = there.filter { $0.status != .running }
            .map { "instance \($0.number) \($0.status)" }
        let problem = found.problem.map { ["problem: \($0)"] } ?? []
        return .waiting(([count] + others + problem).joined(separator: ", "))
    }

    private func judge(
        _ name: InstanceName, _ applications: [ApplicationSnapshot],
        _ end: (InstanceSnapshot) -> String?
    ) -> Verdict {
        judge(name.app, applications) { application in
            guard let instance = application.instances.first(where: { $0.number == name.index })
            else { return .failed("\(name.app) has no instance \(name.index) any more") }
            return end(instance).map { .done("\(name) \($0)") }
                ?? .waiting("\(name) is \(instance.status)")
        }
    }
}

extension InstanceSnapshot {
    fileprivate var pid: Int? { identity.map { Int($0.pid) } }
}

// MARK: On the wire

extension CommandGoal {
    /// A tuple, which means nothing to whoever gets it.
    var term: Term {
        func tuple(_ name: Atom, _ instance: InstanceName, _ more: Term...) -> Term {
            .tuple([.atom(name), .binary(instance.app), .integer(instance.index)] + more)
        }
        return switch self {
        case .version(let version, let application):
            .tuple([.atom("version"), .binary(application), .orNull(version)])
        case .restarted(let name, let pid): tuple("restarted", name, .orNull(pid))
        case .idle(let name): tuple("idle", name)
        case .running(let name): tuple("running", name)
        case .allIdle(let orStopping): .atom(orStopping ? "all_stopping" : "all_idle")
        }
    }

    /// `nil` for a term that no deployex has given.
    init?(_ term: Term) {
        switch term.asAtom?.name {
        case "all_stopping"?: self = .allIdle(orStopping: true)
        case "all_idle"?: self = .allIdle(orStopping: false)
        default:
            guard let fields = term.asTuple, fields.count >= 3, let kind = fields[0].asAtom?.name,
                let application = fields[1].shortText(maximumByteCount: 128)
            else { return nil }
            if kind == "version", fields.count == 3 {
                let version = fields[2].shortText(maximumByteCount: 1024)
                guard version != nil || fields[2] == .null else { return nil }
                self = .version(version, of: application)
                return
            }
            guard let number = fields[2].asInteger else { return nil }
            let name = InstanceName(app: application, index: number)
            switch (kind, fields.count) {
            case ("restarted", 4): self = .restarted(name, replacing: fields[3].asInteger)
            case ("idle", 3): self = .idle(name)
            case ("running", 3): self = .running(name)
            default: return nil
            }
        }
    }
}

extension CommandGoal.Verdict {
    /// `{waiting | done | failed, Text, Revision}`
    func term(revision: Int) -> Term {
        switch self {
        case .waiting(let text): .tuple([.atom("waiting"), .binary(text), .integer(revision)])
        case .done(let text): .tuple([.atom("done"), .binary(text), .integer(revision)])
        case .failed(let text): .tuple([.atom("failed"), .binary(text), .integer(revision)])
        }
    }

    static func read(_ term: Term) -> (verdict: CommandGoal.Verdict, revision: Int)? {
        guard let fields = term.asTuple, fields.count == 3, let text = fields[1].asText,
            let revision = fields[2].asInteger
        else { return nil }
        switch fields[0].asAtom?.name {
        case "waiting"?: return (.waiting(text), revision)
        case "done"?: return (.done(text), revision)
        case "failed"?: return (.failed(text), revision)
        default: return nil
        }
    }
}
