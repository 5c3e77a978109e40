internal import Deployment
internal import ExternalTermFormat
internal import Supervisor

/// What a command waits for. Each look at the applications decides whether the goal is reached.
///
/// deployex gives the goal to the caller of a command, and the caller hands it back when it waits.
enum CommandGoal: Equatable {
    /// All instances of the application run the version. It is `nil` if no version is published
    /// yet, so that there is nothing to wait for.
    case version(String?, of: String)
    /// The instance runs a process other than this one, and the process is ready.
    case restarted(InstanceName, replacing: Int?)
    case idle(InstanceName)
    case running(InstanceName)
    /// Every instance of every application is idle, or at least has begun to stop.
    case allIdle(orStopping: Bool)

    enum Verdict: Equatable {
        /// The progress so far.
        case waiting(String)
        case done(String)
        /// The goal will not be reached, for this reason.
        case failed(String)
    }

    /// - Parameters:
    ///   - before: the application before the command.
    ///   - after: the application now that the command has been decided.
    init?(
        _ command: EngineCommand, of application: String, before: ApplicationSnapshot?,
        after: ApplicationSnapshot?
    ) {
        func instance(_ number: InstanceNumber) -> InstanceName {
            InstanceName(app: application, number: number)
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

    /// The applications of this goal, among all that exist.
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
            return judge(name, applications, isStopped: false) { instance in
                guard instance.status == .running, let new = instance.pid, new != pid
                else { return nil }
                return "runs again as OS process \(new)"
            }
        case .idle(let name):
            return judge(name, applications, isStopped: true) {
                $0.status == .idle ? "is stopped" : nil
            }
        case .running(let name):
            return judge(name, applications, isStopped: false) {
                $0.status == .running ? "is running" : nil
            }
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
        // The target version is not ghosted: a ghosted entry of that version has another hash.
        if found.targetVersion != version {
            if let ghost = found.ghosted.last(where: { $0.version == version }) {
                return .failed("\(application) \(version) was taken back: \(ghost.reason)")
            }
            return .failed(
                "\(application) is to run \(found.targetVersion ?? "nothing") by now, not \(version)"
            )
        }
        // An instance that an operator has stopped stays stopped.
        let wanted = found.instances.filter { !$0.isStoppedByOperator }
        let there = wanted.filter { $0.current?.version == version }
        let ready = there.count { $0.status == .running }
        let count = "\(application) \(version) runs on \(ready) of \(wanted.count) instances"
        if ready == wanted.count { return .done(count) }
        let others = there.filter { $0.status != .running }
            .map { "instance \($0.number) \($0.status)" }
        let problem = found.problem.map { ["problem: \($0)"] } ?? []
        return .waiting(([count] + others + problem).joined(separator: ", "))
    }

    /// - Parameter isStopped: whether the command stops the instance, or else lets it run. A later
    ///   command that wants the opposite has overtaken it.
    private func judge(
        _ name: InstanceName, _ applications: [ApplicationSnapshot], isStopped: Bool,
        _ end: (InstanceSnapshot) -> String?
    ) -> Verdict {
        judge(name.app, applications) { application in
            guard let instance = application.instances.first(where: { $0.number == name.number })
            else { return .failed("\(name.app) has no instance \(name.number) any more") }
            guard instance.isStoppedByOperator == isStopped else {
                let other = isStopped ? "is to run" : "is to stay stopped"
                return .failed("\(name) \(other): a later command has overtaken this one")
            }
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
    /// `{Kind, Application, Instance, Detail}`; a caller need not understand it.
    var term: Term {
        let (kind, application, number, detail): (Atom, String?, Int?, Term) =
            switch self {
            case .version(let version, let application):
                ("version", application, nil, .orNull(version))
            case .restarted(let name, let pid):
                ("restarted", name.app, name.number.value, .orNull(pid))
            case .idle(let name): ("idle", name.app, name.number.value, .null)
            case .running(let name): ("running", name.app, name.number.value, .null)
            case .allIdle(let orStopping): ("all_idle", nil, nil, orStopping.term)
            }
        return .tuple([kind.term, .orNull(application), .orNull(number), detail])
    }

    /// - Throws: ``ControlRefusal`` for a term that no deployex has made, or that names an instance
    ///   which is not in `directory`.
    init(_ term: Term, in directory: InstanceDirectory) throws(ControlRefusal) {
        let strange = ControlRefusal("a goal is what the answer to a request gave")
        guard let fields = term.asTuple, fields.count == 4, let kind = fields[0].asAtom?.name
        else { throw strange }
        if kind == "all_idle", let orStopping = fields[3].asBool {
            self = .allIdle(orStopping: orStopping)
            return
        }
        guard let name = fields[1].shortText(maximumByteCount: 128) else { throw strange }
        let application = try directory.application(name).name
        if kind == "version" {
            self = .version(fields[3].shortText(maximumByteCount: 1024), of: application)
            return
        }
        guard let number = fields[2].asInteger else { throw strange }
        let instance = try directory.instance(number, of: application)
        switch kind {
        case "restarted": self = .restarted(instance, replacing: fields[3].asInteger)
        case "idle": self = .idle(instance)
        case "running": self = .running(instance)
        default: throw strange
        }
    }
}

extension CommandGoal.Verdict {
    /// `{waiting | done | failed, Text, Revision}`
    func term(revision: Int) -> Term {
        let (state, text): (Atom, String) =
            switch self {
            case .waiting(let text): ("waiting", text)
            case .done(let text): ("done", text)
            case .failed(let text): ("failed", text)
            }
        return .tuple([state.term, text.term, revision.term])
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
