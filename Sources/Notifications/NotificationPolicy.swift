package import Deployment
internal import Supervisor
package import Transport

/// Tells from the states of applications what has happened. It does no I/O and reads no clock.
///
/// A deployment is the application's: it begins with the first rollout to a version and is done
/// when all instances that are to run have it. What had happened before the first state is not
/// told, so a restart of deployex tells nothing twice; a deployment that goes on after it has the
/// same id.
package struct NotificationPolicy: Equatable, Sendable {
    /// So many crashes within that time are a loop, and so long without one is its end.
    package static let crashCount = 3
    package static let crashWindow = Duration.seconds(600)
    package static let calm = Duration.seconds(300)
    /// A problem that lasts so long is told: a package may only be late.
    package static let patience = Duration.seconds(60)
    /// More of one application's problems, one after the other, say nothing new.
    private static let maximumProblems = 5

    private struct Open: Equatable {
        var version: String
        var isReturn: Bool
    }

    private struct Crashes: Equatable {
        var count: Int
        var times: [MonotonicTime] = []
        var isLoop = false
        var isRunning = false
    }

    private struct Problem: Equatable {
        var text: String
        var version: String?
        var begin: MonotonicTime
        /// Those that were told since the application had none.
        var told: [String] = []
    }

    private struct Followed: Equatable {
        var last: DeploymentOutcome?
        var open: Open?
        var failedVersion: String?
        /// Those that are known to be ghosted, by version and hash.
        var ghosts: Set<[String]> = []
        /// The one whose failure was told when it became a ghost.
        var toldGhost: [String]?
        var crashes: [InstanceNumber: Crashes] = [:]
    }

    private let host: String
    private var followed: [String: Followed] = [:]
    private var problems: [String: Problem] = [:]

    package init(host: String) {
        self.host = host
    }

    /// - Parameter at: seconds since 1970.
    package mutating func changed(
        _ state: ApplicationSnapshot, at: Int64, now: MonotonicTime
    ) -> [NotificationEvent] {
        var own = followed[state.application] ?? Self.first(state)
        var events: [NotificationEvent] = []
        for outcome in Self.new(in: state.history, after: own.last) {
            own.last = outcome
            guard outcome.outcome == .failed,
                outcome.reason != DeploymentOutcome.stoppedByOperator,
                outcome.kind != .hotUpgrade || state.isGhosted(outcome),
                own.toldGhost != [outcome.version, outcome.hash]
            else { continue }
            own.open = nil
            own.failedVersion = outcome.version
            events.append(
                event(
                    .deploymentFailed, of: state, mark: Self.mark(outcome), at,
                    outcome.instance.value, outcome.version, outcome.reason))
        }
        events += newGhosts(of: state, &own, at)
        // A version that failed goes on being restarted where there is no other, and one that an
        // operator has stopped is started again: what counts then is that all are ready.
        if let version = own.open?.version ?? own.failedVersion, state.isDone(version),
            let last = own.last, last.version == version,
            last.outcome == .succeeded || state.isReady && !state.isGhosted(last)
        {
            let isReturn = own.open?.isReturn == true || last.kind == .rollback
            own.open = nil
            own.failedVersion = nil
            events.append(
                event(
                    isReturn ? .rolledBack : .deploymentDone, of: state, mark: Self.mark(last), at,
                    nil, version))
        }
        if let version = state.rollout?.version, own.open?.version != version {
            let isReturn =
                own.failedVersion != nil && own.failedVersion != version && state.knows(version)
            own.open = Open(version: version, isReturn: isReturn)
            // What has failed, and works after all, goes on to the other instances.
            let goesOn = own.failedVersion == version && state.runs(version)
            if !isReturn, !goesOn {
                let mark = version + " " + (own.last.map(Self.mark) ?? "first")
                events.append(event(.deploymentBegun, of: state, mark: mark, at, nil, version))
            }
        }
        for instance in state.instances {
            events += follow(instance, of: state, &own, at, now)
        }
        followed[state.application] = own
        return events
            + hindered(state.application, state.problem, state.targetVersion, at: at, now: now)
    }

    /// Takes note of why an application's deployment does not go on, or of why the application is
    /// not begun.
    /// - Parameter reason: `nil` if it has no problem.
    package mutating func hindered(
        _ application: String, _ reason: String?, _ version: String? = nil, at: Int64,
        now: MonotonicTime
    ) -> [NotificationEvent] {
        guard let reason else {
            guard let old = problems.removeValue(forKey: application), !old.told.isEmpty
            else { return [] }
            return [problemEvent(.problemOver, application, version, nil, at)]
        }
        var problem = problems[application] ?? Problem(text: reason, begin: now)
        (problem.text, problem.version) = (reason, version)
        problems[application] = problem
        return lasting(application, at, now).map { [$0] } ?? []
    }

    /// The application's problem, if it has lasted and was not told yet.
    private mutating func lasting(
        _ application: String, _ at: Int64, _ now: MonotonicTime
    ) -> NotificationEvent? {
        guard let problem = problems[application], now - problem.begin >= Self.patience,
            !problem.told.contains(problem.text), problem.told.count < Self.maximumProblems
        else { return nil }
        problems[application]?.told.append(problem.text)
        return problemEvent(.problem, application, problem.version, problem.text, at)
    }

    private func problemEvent(
        _ kind: NotificationEvent.Kind, _ application: String, _ version: String?,
        _ reason: String?, _ at: Int64
    ) -> NotificationEvent {
        NotificationEvent(
            kind, host: host, subject: "\(application)/problem", mark: "\(at) \(reason ?? "")",
            at: at, application: application, version: version, reason: reason)
    }

    /// A version may fail when its rollout has ended well: it is on trial for a while longer.
    private func newGhosts(
        of state: ApplicationSnapshot, _ own: inout Followed, _ at: Int64
    ) -> [NotificationEvent] {
        let ghosts = state.ghosted.filter { !own.ghosts.contains([$0.version, $0.hash]) }
        own.ghosts = Self.ghosts(of: state)
        return ghosts.compactMap { ghost in
            guard own.failedVersion != ghost.version, !ghost.isOperators else { return nil }
            own.failedVersion = ghost.version
            own.toldGhost = [ghost.version, ghost.hash]
            if own.open?.version == ghost.version { own.open = nil }
            return event(
                .deploymentFailed, of: state, mark: "\(ghost.version) \(ghost.hash) \(ghost.at)",
                at,
                nil, ghost.version, ghost.reason)
        }
    }

    private static func ghosts(of state: ApplicationSnapshot) -> Set<[String]> {
        Set(state.ghosted.map { [$0.version, $0.hash] })
    }

    /// To be called from time to time.
    package mutating func timePassed(at: Int64, now: MonotonicTime) -> [NotificationEvent] {
        var events = problems.keys.sorted().compactMap { lasting($0, at, now) }
        for name in followed.keys.sorted() {
            guard var own = followed[name] else { continue }
            for number in own.crashes.keys.sorted() {
                guard var crashes = own.crashes[number], crashes.isLoop, crashes.isRunning,
                    crashes.times.last.map({ now - $0 >= Self.calm }) ?? true
                else { continue }
                crashes.isLoop = false
                // They have been told of: only new ones are another loop.
                crashes.times = []
                own.crashes[number] = crashes
                events.append(crashEvent(.crashLoopOver, name, number, crashes, nil, nil, at))
            }
            followed[name] = own
        }
        return events
    }

    private mutating func follow(
        _ instance: InstanceSnapshot, of state: ApplicationSnapshot, _ own: inout Followed,
        _ at: Int64, _ now: MonotonicTime
    ) -> [NotificationEvent] {
        var crashes = own.crashes[instance.number] ?? Crashes(count: instance.crashRestarts)
        let more = max(0, instance.crashRestarts - crashes.count)
        crashes.count = instance.crashRestarts
        crashes.isRunning = instance.status == .running
        crashes.times += Array(repeating: now, count: min(more, Self.crashCount))
        crashes.times.removeAll { now - $0 > Self.crashWindow }
        crashes.times = Array(crashes.times.suffix(Self.crashCount))
        defer { own.crashes[instance.number] = crashes }
        let name = state.application
        if crashes.isLoop, instance.isStoppedByOperator {
            crashes.isLoop = false
            crashes.times = []
            return [
                crashEvent(
                    .crashLoopOver, name, instance.number, crashes, instance.current?.version,
                    "an operator has stopped it", at)
            ]
        }
        guard !crashes.isLoop, crashes.times.count >= Self.crashCount else { return [] }
        crashes.isLoop = true
        return [
            crashEvent(
                .crashLoop, name, instance.number, crashes, instance.current?.version,
                instance.reason, at)
        ]
    }

    private func crashEvent(
        _ kind: NotificationEvent.Kind, _ name: String, _ number: InstanceNumber,
        _ crashes: Crashes, _ version: String?, _ reason: String?, _ at: Int64
    ) -> NotificationEvent {
        NotificationEvent(
            kind, host: host, subject: "\(name)/\(number.value)/crash_loop",
            mark: "\(at) \(crashes.count)", at: at, application: name, instance: number.value,
            version: version, reason: reason)
    }

    private func event(
        _ kind: NotificationEvent.Kind, of state: ApplicationSnapshot, mark: String, _ at: Int64,
        _ instance: Int?, _ version: String, _ reason: String? = nil
    ) -> NotificationEvent {
        NotificationEvent(
            kind, host: host, subject: "\(state.application)/deployment", mark: mark, at: at,
            application: state.application, instance: instance, version: version, reason: reason)
    }

    private static func first(_ state: ApplicationSnapshot) -> Followed {
        var own = Followed(last: state.history.last)
        own.ghosts = ghosts(of: state)
        // An earlier deployex has told that it began. At the start the target is not known yet.
        if let last = own.last, last.outcome == .succeeded,
            [nil, last.version].contains(state.targetVersion), state.isUnderWay(last.version)
        {
            own.open = Open(version: last.version, isReturn: last.kind == .rollback)
        }
        if let last = own.last, last.outcome == .failed, !state.good.contains(last.id),
            last.reason != DeploymentOutcome.stoppedByOperator
        {
            own.failedVersion = last.version
        }
        return own
    }

    private static func new(
        in history: [DeploymentOutcome], after last: DeploymentOutcome?
    ) -> ArraySlice<DeploymentOutcome> {
        guard let last else { return history[...] }
        guard let place = history.lastIndex(of: last) else { return history.suffix(1) }
        return history[(place + 1)...]
    }

    private static func mark(_ outcome: DeploymentOutcome) -> String {
        "\(outcome.version) \(outcome.hash) \(outcome.at) \(outcome.instance.value)"
    }
}

extension ApplicationSnapshot {
    fileprivate func isGhosted(_ outcome: DeploymentOutcome) -> Bool {
        ghosted.contains { $0.version == outcome.version && $0.hash == outcome.hash }
    }

    /// Whether everything that is to run is ready.
    fileprivate var isReady: Bool {
        instances.allSatisfy { $0.isStoppedByOperator || $0.status == .running }
    }

    /// Whether an instance has that version.
    fileprivate func runs(_ version: String) -> Bool {
        instances.contains { $0.current?.version == version }
    }

    /// Whether everything that is to run has that version.
    fileprivate func isDone(_ version: String) -> Bool {
        let wanted = instances.filter { !$0.isStoppedByOperator }
        return rollout?.version != version && targetVersion == version && !wanted.isEmpty
            && wanted.allSatisfy { $0.current?.version == version }
    }

    /// Whether that version has begun to replace another.
    fileprivate func isUnderWay(_ version: String) -> Bool {
        rollout?.version == version
            || instances.contains { !$0.isStoppedByOperator && $0.current?.version != version }
    }

    /// Whether that version ran here before.
    fileprivate func knows(_ version: String) -> Bool {
        instances.contains { $0.current?.version == version || $0.previous?.version == version }
            || history.contains { $0.version == version && $0.outcome == .succeeded }
    }
}

extension GhostedRelease {
    /// Whether an operator has taken it back, which is no failure.
    fileprivate var isOperators: Bool { reason == Self.rolledBack }
}
