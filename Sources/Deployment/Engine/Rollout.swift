internal import ErlDist
internal import Supervisor
internal import Transport

/// One instance on its way to a release: from what ``FleetStaging`` has staged until the instance is
/// ready with it, or the rollout ends early. There is at most one rollout at a time. It does no I/O
/// and reads no clock.
///
/// | phase           | what is under way | the instance |
/// |-----------------|---|---|
/// | `preparing`     | the pre-commands run | goes on |
/// | `stopping`      | the process is to end; then the folders change places | ends |
/// | `moving`        | the folders change places | is stopped |
/// | `upgrading`     | the node is upgraded in place | goes on |
/// | `awaitingReady` | the release has been started, or upgraded to | has a deadline |
///
/// It ignores an answer that belongs to another phase. After it has returned
/// ``Action/end(_:reason:)`` or ``Action/abandon`` it is over and receives nothing more.
struct Rollout: Equatable {
    let instance: InstanceNumber
    let release: Release
    private var phase: Phase
    /// The phases so far, each with its begin; the last is the present one.
    private var steps: [RolloutSnapshot.Step]

    private enum Phase: Equatable {
        case preparing(UpgradeDecision)
        case stopping(for: Move)
        case moving(Move)
        /// An earlier deployex began a resumed upgrade: its package is not staged any more.
        case upgrading(isResumed: Bool)
        case awaitingReady(DeploymentOutcome.Kind, deadline: MonotonicTime)

        var name: RolloutPhase {
            switch self {
            case .preparing: .preparing
            case .stopping: .stopping
            case .moving: .moving
            case .upgrading: .upgrading
            case .awaitingReady: .awaitingReady
            }
        }
    }

    /// - Parameter now: when the rollout begins.
    private init(instance: InstanceNumber, release: Release, phase: Phase, now: MonotonicTime) {
        self.instance = instance
        self.release = release
        self.phase = phase
        steps = [.init(phase: phase.name, begin: now)]
    }

    /// Begins with what is staged, in a phase that has no step of its own yet.
    private init(
        instance: InstanceNumber, release: Release, _ staged: FleetStaging.Staged,
        now: MonotonicTime
    ) {
        self.instance = instance
        self.release = release
        phase = .preparing(staged.decision)
        steps = [.init(phase: .staging, begin: staged.begin)]
        if staged.end < now { steps.append(.init(phase: .waiting, begin: staged.end)) }
    }

    private mutating func enter(_ next: Phase, _ now: MonotonicTime) {
        phase = next
        steps.append(.init(phase: next.name, begin: now))
    }

    private enum Move: Equatable {
        /// The release staged in `new` becomes `current`.
        case promotion
        /// `previous` becomes `current` again.
        case reversion
    }

    enum Action: Equatable {
        /// An action for the deployer, passed on unchanged.
        case ask(EngineAction)
        /// An order for the instance.
        case tell(Instance.Order)
        /// The release is not ready in time, so its trial is over.
        case failTrial(reason: String)
        /// The release is taken out of use.
        case ghost(reason: String)
        /// The rollout is over and goes into the history.
        case end(DeploymentOutcome.Outcome, reason: String?)
        /// The rollout is over without a result.
        case abandon
        /// The next attempt comes later.
        case postpone(reason: String)
        /// The upgrade in place from that release has failed and is not tried again.
        case noteFailedUpgrade(from: ReleaseID, reason: String)

        static func log(_ level: LogLevel, _ text: String) -> Action { .ask(.log(level, text)) }
    }

    /// The rest of the engine, as far as a rollout's decisions depend on it.
    struct Surroundings {
        var plan: ReleasePlan
        var fleet: Fleet
        var isShuttingDown: Bool
        var timings: EngineConfiguration.Timings
        var now: MonotonicTime

        var target: Release? { plan.target(in: fleet) }
    }
}

// MARK: What it is

extension Rollout {
    /// Whether that instance's folders or its node are being changed. Meanwhile it is not
    /// restarted.
    func isChanging(_ number: InstanceNumber) -> Bool {
        switch phase {
        case .preparing, .awaitingReady: false
        case .stopping, .moving, .upgrading: number == instance
        }
    }

    /// Whether folders are half-way through their exchange.
    var isMoving: Bool {
        if case .moving = phase { true } else { false }
    }

    func isAwaitingReady(_ number: InstanceNumber) -> Bool {
        number == instance && nextDeadline != nil
    }

    /// When to come back with ``timePassed(_:)`` at the latest.
    var nextDeadline: MonotonicTime? {
        if case .awaitingReady(_, let deadline) = phase { deadline } else { nil }
    }

    var snapshot: RolloutSnapshot {
        RolloutSnapshot(
            instance: instance, version: release.version,
            steps: steps, deadline: nextDeadline)
    }

    private var kind: DeploymentOutcome.Kind {
        switch phase {
        case .preparing, .stopping(for: .promotion), .moving(.promotion): .fullDeployment
        case .stopping(for: .reversion), .moving(.reversion): .rollback
        case .upgrading: .hotUpgrade
        case .awaitingReady(let kind, _): kind
        }
    }

    /// The entry for the history when it ends.
    /// - Parameter seconds: the time of day at `now`, since 1970.
    func outcome(
        _ outcome: DeploymentOutcome.Outcome, reason: String?, seconds: Int64, now: MonotonicTime
    ) -> DeploymentOutcome {
        DeploymentOutcome(
            version: release.version, hash: release.hash, kind: kind, instance: instance,
            outcome: outcome, at: seconds, milliseconds: Self.milliseconds(steps[0].begin, now),
            reason: reason, steps: pastSteps(now))
    }

    private func pastSteps(_ now: MonotonicTime) -> [DeploymentOutcome.Step] {
        zip(steps, steps.dropFirst().map(\.begin) + [now]).map { step, end in
            .init(phase: step.phase, milliseconds: Self.milliseconds(step.begin, end))
        }
    }

    private static func milliseconds(_ begin: MonotonicTime, _ end: MonotonicTime) -> Int64 {
        (end - begin).nanoseconds / 1_000_000
    }
}

// MARK: How it begins

extension Rollout {
    /// Brings an instance to `target` by its previous release, which is the target.
    static func reverting(
        _ instance: Instance, to target: Release, _ around: Surroundings
    ) -> (Rollout, [Action]) {
        var rollout = Rollout(
            instance: instance.number, release: target, phase: .stopping(for: .reversion),
            now: around.now)
        // Nothing is under way before that.
        rollout.steps = []
        let actions = rollout.stop(for: .reversion, around)
        return (rollout, [.log(.info, FleetStaging.text(instance, target))] + actions)
    }

    /// Brings an instance to `target`, which is staged there.
    static func deploying(
        _ target: Release, _ staged: FleetStaging.Staged, at number: InstanceNumber,
        _ around: Surroundings
    ) -> (Rollout, [Action]) {
        var rollout = Rollout(instance: number, release: target, staged, now: around.now)
        let actions = rollout.deploy(afterPreCommands: staged.decision, around)
        return (rollout, [.log(.warning, staged.decision.logLine)] + actions)
    }

    /// Asks an instance's node for the outcome of the upgrade that an earlier deployex began.
    static func resuming(
        _ upgrade: Instance.InterruptedUpgrade, at number: InstanceNumber, now: MonotonicTime
    ) -> (Rollout, [Action]) {
        let (from, to) = (upgrade.from, upgrade.to)
        let told =
            "The hot upgrade of instance: \(number) from: \(from) to: \(to.version) was "
            + "interrupted: asking the node what it runs"
        return (
            Rollout(
                instance: number, release: to, phase: .upgrading(isResumed: true), now: now),
            [.log(.warning, told), .ask(.resumeHotUpgrade(number, from: from, to: to))]
        )
    }

    /// Begins again the trial of a release that an earlier deployex deployed.
    static func awaiting(
        _ deployed: DeployedRelease, _ release: Release, at number: InstanceNumber,
        deadline: MonotonicTime,
        now: MonotonicTime
    ) -> Rollout {
        Rollout(
            instance: number, release: release,
            phase: .awaitingReady(
                deployed.deployment == .hotUpgrade ? .hotUpgrade : .fullDeployment,
                deadline: deadline), now: now)
    }
}

// MARK: Pre-commands

extension Rollout {
    private mutating func deploy(
        afterPreCommands decision: UpgradeDecision, _ around: Surroundings
    ) -> [Action] {
        let (count, version) = (release.preCommands.count, release.version)
        guard count > 0, !around.plan.record.isPrepared(release.id) else {
            return deploy(decision, around)
        }
        enter(.preparing(decision), around.now)
        return [
            .log(.info, "Running \(count) pre-commands of version \(version)"),
            .ask(.runPreCommands(instance, release)),
        ]
    }

    /// It was found out that what was staged has gone.
    func stagingFailed(_ reason: String) -> [Action] {
        switch phase {
        case .preparing: [.abandon, .postpone(reason: reason)]
        case .stopping, .moving, .upgrading, .awaitingReady: []
        }
    }

    mutating func preCommandsDone(_ around: Surroundings) -> [Action] {
        guard case .preparing(let decision) = phase else { return [] }
        return isStillWanted(around) ? deploy(decision, around) : dropStaged
    }

    /// Running them again automatically might do harm: somebody has to look at them.
    func preCommandsFailed(_ reason: String) -> [Action] {
        guard case .preparing = phase else { return [] }
        return [
            .ask(.discardStaged(instance)), .end(.failed, reason: reason), .ghost(reason: reason),
        ]
    }

    /// Whether the instance is still to run the release. Nothing has been touched yet.
    private func isStillWanted(_ around: Surroundings) -> Bool {
        // What was fetched may be another publication of the version, if there is one by now.
        around.target?.id == release.id && around.plan.record.isInStore(release.id)
            && !around.fleet[instance].isStoppedByOperator && !around.isShuttingDown
    }

    private var dropStaged: [Action] { [.ask(.discardStaged(instance)), .abandon] }

    private mutating func deploy(_ decision: UpgradeDecision, _ around: Surroundings) -> [Action] {
        switch decision {
        case .hotUpgrade where hasFailedBefore(around):
            let text =
                "Instance: \(instance): this hot upgrade has failed before: full deployment instead"
            return [.log(.warning, text)] + deployInFull(around)
        case .hotUpgrade(let from, _) where around.fleet[instance].isReady:
            enter(.upgrading(isResumed: false), around.now)
            return [.ask(.hotUpgrade(instance, from: from, to: release))]
        case .hotUpgrade:
            let text = "Instance: \(instance) is not ready: full deployment instead"
            return [.log(.warning, text)] + stop(for: .promotion, around)
        case .fullDeployment: return deployInFull(around)
        }
    }

    private mutating func deployInFull(_ around: Surroundings) -> [Action] {
        guard around.fleet.maySpare(instance) else {
            return [.ask(.discardStaged(instance)), .abandon, waitForOthers]
        }
        return stop(for: .promotion, around)
    }

    private func hasFailedBefore(_ around: Surroundings) -> Bool {
        guard let from = around.fleet[instance].current?.id else { return false }
        return around.plan.record.hasFailed(.init(from: from, to: release.id))
    }

    private var waitForOthers: Action {
        .postpone(
            reason: "Instance: \(instance) is the only one that is ready, and is not stopped")
    }
}

// MARK: Moving the folders

extension Rollout {
    /// Stops the instance. The folders change places after that.
    private mutating func stop(for move: Move, _ around: Surroundings) -> [Action] {
        enter(.stopping(for: move), around.now)
        let pid = around.fleet[instance].identity?.pid
        let what = pid.map { "application pid: \($0)" } ?? "but application is not running."
        return [.log(.info, "Requested instance: \(instance) to stop \(what)"), .tell(.stop)]
    }

    mutating func promoted(_ around: Surroundings) -> [Action] {
        guard phase == .moving(.promotion) else { return [] }
        let previous = around.fleet[instance].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        return (previous == nil ? [.log(.warning, "No previous version set")] : [])
            + [.tell(.hold(deployed, previous: previous))] + startChanged(deployed, around)
    }

    func promotionFailed(_ reason: String, _ around: Surroundings) -> [Action] {
        guard phase == .moving(.promotion) else { return [] }
        let goesOn = !around.isShuttingDown && around.fleet[instance].current != nil
        return [.abandon, .postpone(reason: reason)] + (goesOn ? [.tell(.start)] : [])
    }

    mutating func reverted(to deployed: DeployedRelease, _ around: Surroundings) -> [Action] {
        guard phase == .moving(.reversion) else { return [] }
        let from = around.fleet[instance].current?.version ?? "none"
        let text = "Rolled back instance: \(instance) from: \(from) to: \(deployed.version)"
        return [.tell(.hold(deployed, previous: nil)), .log(.warning, text)]
            + startChanged(deployed, around)
    }

    /// The instance has no previous release any more, so the next rollout stages the target.
    func reversionFailed(_ reason: String, _ around: Surroundings) -> [Action] {
        guard phase == .moving(.reversion) else { return [] }
        let text =
            "The previous version of instance: \(instance) cannot be brought back: \(reason); its "
            + "package is deployed instead"
        return [.log(.error, text), .tell(.forgetPrevious), .abandon]
            + (around.isShuttingDown ? [] : [.tell(.start)])
    }

    private mutating func startChanged(
        _ deployed: DeployedRelease, _ around: Surroundings
    ) -> [Action] {
        let trial = awaitReady(around)
        // Ghosted, or replaced by another one, while the folders changed places.
        guard !around.plan.record.isGhosted(deployed.id) else { return [trial, .abandon] }
        return around.isShuttingDown ? [trial] : [trial, .tell(.start)]
    }
}

// MARK: Upgrading in place

extension Rollout {
    /// - Parameter leftBehind: what takes effect with the next start only.
    mutating func upgraded(
        leftBehind: HotUpgrade.Remains, _ around: Surroundings
    ) -> [Action] {
        guard case .upgrading = phase else { return [] }
        let from = around.fleet[instance].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        let text =
            "Release upgrade executed with success at instance: \(instance) from: "
            + "\(from?.version ?? "none") to: \(release.version)"
        var warnings: [Action] = []
        if let left = leftBehind.text {
            let warning =
                "The hot upgrade of instance: \(instance) has left something behind, which its next "
                + "start brings into effect: \(left)"
            warnings = [.log(.warning, warning)]
        }
        return [.tell(.hold(deployed, previous: from)), .log(.info, text)] + warnings
            + [.tell(.awaitRestart(leftBehind)), awaitReady(around), .tell(.awaitUpgraded)]
    }

    mutating func upgradeFailed(
        _ reason: String, nodeIsUntouched: Bool, _ around: Surroundings
    ) -> [Action] {
        guard case .upgrading(let isResumed) = phase else { return [] }
        guard !around.isShuttingDown else { return [.abandon] }
        let text = "Hot upgrade failed at instance: \(instance)"
        // An interrupted upgrade has no staged package any more, and a ghosted release is not
        // wanted.
        let mayDeploy = around.target?.id == release.id && !isResumed
        guard mayDeploy, around.fleet.maySpare(instance) else {
            // What is to be repeated is not to be repeated in the same way.
            let end =
                mayDeploy && !nodeIsUntouched
                ? noteFailed(reason, around) + [.abandon] : [.end(.failed, reason: reason)]
            return [.log(.error, "\(text): \(reason)")] + end
                + [.ask(.discardStaged(instance))] + (nodeIsUntouched ? [] : [.tell(.doubtNode)])
                + (mayDeploy ? [waitForOthers] : [])
        }
        return [.log(.error, "\(text), running full deployment: \(reason)")]
            + (nodeIsUntouched ? [] : noteFailed(reason, around)) + stop(for: .promotion, around)
    }

    /// The node restarts itself, on the old release and perhaps for a long time. It is killed, and
    /// the release deployed to it. It serves nobody, so it need not be spared.
    mutating func nodeRestarts(_ reason: String, _ around: Surroundings) -> [Action] {
        guard case .upgrading(let isResumed) = phase else { return [] }
        guard !around.isShuttingDown else { return [.abandon] }
        guard around.target?.id == release.id, !isResumed else {
            return upgradeFailed(reason, nodeIsUntouched: false, around)
        }
        let text = "Hot upgrade failed at instance: \(instance), running full deployment: \(reason)"
        enter(.stopping(for: .promotion), around.now)
        return [.log(.error, text)] + noteFailed(reason, around) + [.tell(.kill)]
    }

    /// The release would not boot, so the running one goes on. Trying again makes sense only if the
    /// cause is not in the release.
    mutating func configurationFailed(
        _ reason: String, isForeign: Bool, _ around: Surroundings
    ) -> [Action] {
        guard case .upgrading(isResumed: false) = phase else { return [] }
        let drop = Action.ask(.discardStaged(instance))
        guard isForeign else {
            return [drop, .end(.failed, reason: reason), .ghost(reason: reason)]
        }
        // What does not come by itself may be there only for a start.
        guard around.plan.failureCount(of: release) < Self.patience else {
            let text = "Instance: \(instance): full deployment instead of a hot upgrade: \(reason)"
            return [.log(.warning, text)] + deployInFull(around)
        }
        return [drop, .abandon, .postpone(reason: reason)]
    }

    /// How often a configuration that no release can read is waited for: 5, 10, 20 and 40 seconds.
    private static let patience = 4

    private func noteFailed(_ reason: String, _ around: Surroundings) -> [Action] {
        around.fleet[instance].current.map { [.noteFailedUpgrade(from: $0.id, reason: reason)] }
            ?? []
    }
}

// MARK: Awaiting

extension Rollout {
    private mutating func awaitReady(_ around: Surroundings) -> Action {
        let deadline = around.now + around.timings.readyTimeout
        enter(.awaitingReady(kind, deadline: deadline), around.now)
        return .tell(.beginTrial(until: deadline))
    }

    /// Takes the steps that depend on no answer. Called after every event.
    mutating func timePassed(_ around: Surroundings) -> [Action] {
        let (here, target) = (around.fleet[instance], around.target)
        switch phase {
        case .preparing, .moving, .upgrading:
            return []
        case .stopping(let move):
            guard here.status == .idle else { return [] }
            // Ghosted or replaced while the instance stopped: the release in its folder goes on.
            guard target?.id == release.id else {
                return dropStaged + (here.current == nil ? [] : [.tell(.start)])
            }
            enter(.moving(move), around.now)
            switch move {
            case .promotion: return [.ask(.promote(instance, release))]
            case .reversion: return [.ask(.revert(instance, release.id))]
            }
        case .awaitingReady(_, let deadline):
            if here.isReady { return [.end(.succeeded, reason: nil)] }
            if let target, target.id != release.id {
                // A newer release may mend the cause that keeps this one from becoming ready.
                return [.end(.failed, reason: "replaced before it was ready")]
            }
            guard deadline <= around.now else { return [] }
            let limit = around.timings.readyTimeout.inSecondsText
            return [.failTrial(reason: "version \(release.version) is not ready after \(limit)")]
        }
    }
}
