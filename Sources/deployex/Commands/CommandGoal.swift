internal import Supervisor

/// What a command waits for: one look at the status after another decides whether it has come.
struct CommandGoal: Equatable {
    private enum Kind: Equatable {
        /// All instances run it.
        case version(String)
        /// A process other than this one, ready.
        case restarted(Int, replacing: Int?)
        case idle(Int)
        case running(Int)
        /// There is nothing to wait for, and why.
        case nothing(String)
    }

    enum Verdict: Equatable {
        /// How far it is.
        case waiting(String)
        case done(String)
        /// It will not come, and why.
        case failed(String)
    }

    private let application: String
    private let kind: Kind

    private init(_ application: String, _ kind: Kind) {
        self.application = application
        self.kind = kind
    }

    /// - Parameter before: the status as it was before the command.
    static func restart(_ instance: InstanceName, before: StatusView) -> CommandGoal {
        let found = before.application(instance.app)?.instances
            .first { $0.number == instance.number.value }
        return CommandGoal(instance.app, .restarted(instance.number.value, replacing: found?.pid))
    }

    static func stop(_ instance: InstanceName) -> CommandGoal {
        CommandGoal(instance.app, .idle(instance.number.value))
    }

    static func start(_ instance: InstanceName) -> CommandGoal {
        CommandGoal(instance.app, .running(instance.number.value))
    }

    /// - Parameter version: `nil` for the one that is the target by then.
    static func deploy(
        _ version: String?, of application: String, after status: StatusView
    ) -> CommandGoal {
        guard let version = version ?? status.application(application)?.targetVersion else {
            return CommandGoal(application, .nothing("no version is published yet"))
        }
        return CommandGoal(application, .version(version))
    }

    func judge(_ status: StatusView) -> Verdict {
        guard let found = status.application(application) else {
            return .failed("\(application) is no longer one of its applications")
        }
        switch kind {
        case .nothing(let text):
            return .done(text)
        case .version(let version):
            return judge(version, found)
        case .restarted(let number, let pid):
            return judge(number, found) { instance in
                guard instance.status == "running", let new = instance.pid, new != pid
                else { return nil }
                return "runs again as OS process \(new)"
            }
        case .idle(let number):
            return judge(number, found) { $0.status == "idle" ? "is stopped" : nil }
        case .running(let number):
            return judge(number, found) { instance in
                instance.status == "running" ? "is running" : nil
            }
        }
    }

    private func judge(_ version: String, _ found: StatusView.Application) -> Verdict {
        // What is the target is not ghosted: an entry of that version is of another hash.
        if found.targetVersion != version {
            if let reason = found.ghosted[version] {
                return .failed("\(application) \(version) was taken back: \(reason)")
            }
            return .failed(
                "\(application) is to run \(found.targetVersion ?? "nothing") by now, not \(version)"
            )
        }
        // An instance that an operator has stopped stays stopped.
        let wanted = found.instances.filter { !$0.isStoppedByOperator }
        let there = wanted.filter { $0.version == version && $0.status == "running" }
        let count = "\(application) \(version) runs on \(there.count) of \(wanted.count) instances"
        if there.count == wanted.count { return .done(count) }
        let others = wanted.filter { $0.version == version && $0.status != "running" }
            .map { "instance \($0.number) \($0.status)" }
        let problem = found.problem.map { ["problem: \($0)"] } ?? []
        return .waiting(([count] + others + problem).joined(separator: ", "))
    }

    private func judge(
        _ number: Int, _ found: StatusView.Application, _ end: (StatusView.Instance) -> String?
    ) -> Verdict {
        guard let instance = found.instances.first(where: { $0.number == number }) else {
            return .failed("\(application) has no instance \(number) any more")
        }
        if let text = end(instance) { return .done("\(application)-\(number) \(text)") }
        return .waiting("\(application)-\(number) is \(instance.status)")
    }
}
