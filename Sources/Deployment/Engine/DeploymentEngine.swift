internal import ErlDist
internal import Supervisor
package import Transport

/// Decides everything about the instances of one application: what to deploy where and when, and
/// when a process is started, stopped and probed. It does no I/O and reads no clock.
///
/// The deployer reports each event by ``handle(_:now:)``, carries out the returned actions, and
/// comes back at ``nextDeadline`` with ``EngineEvent/timePassed``.
///
/// It consists of machines, and passes on what one of them needs from another:
/// - ``ReleasePlan`` names the target, the release that is to run: the one that an operator or else
///   the catalog names, or the last good release when that one is ghosted.
/// - ``Fleet`` holds the instances, and says which of them serve and may be spared.
/// - ``FleetStaging`` stages the target for all instances that need its package.
/// - ``Rollout`` brings one instance to the target, once all of these are staged. The next one
///   begins when that instance is ready.
///
/// The engine never takes down the last ready instance while another is on its way. It ghosts a
/// release that does not become ready in time, or crashes again and again while it is new. Then
/// another release is the target, and the next rollouts bring that one back.
package struct DeploymentEngine {
    private let configuration: EngineConfiguration
    private var plan: ReleasePlan
    private var fleet = Fleet()
    private var staging = FleetStaging()
    private var rollout: Rollout?
    private var life = Life.running
    /// The actions that the current event has led to so far.
    private var actions: [EngineAction] = []

    private enum Life {
        case running, shuttingDown, finished
    }

    private var isShuttingDown: Bool { life != .running }
    /// The release that is to run.
    private var target: Release? { plan.target(in: fleet) }
}

// MARK: Beginning

extension DeploymentEngine {
    /// Takes over the instances that run, and starts those that are deployed and do not run.
    /// - Parameters:
    ///   - found: one element for each instance, in order.
    ///   - seconds: the time of day at `now`, in seconds since 1970.
    /// - Returns: the engine, and its first actions.
    package static func begin(
        configuration: EngineConfiguration, record: ApplicationRecord = ApplicationRecord(),
        found: [Found], now: MonotonicTime, seconds: Int64 = 0
    ) -> (DeploymentEngine, [EngineAction]) {
        precondition(found.count == configuration.replicas, "One element for each instance")
        var engine = DeploymentEngine(
            configuration: configuration,
            plan: ReleasePlan(
                record: record, timings: configuration.timings, now: now, seconds: seconds))
        engine.actions.append(.log(.info, "Initialising deployment server"))
        let running = Set(found.filter(\.isRunning).compactMap { $0.current?.id })
        for (number, found) in zip(InstanceNumber.first(found.count), found) {
            // A release still on trial shows by its start whether it is good.
            let isStale =
                !running.isEmpty
                && found.current.map {
                    !running.contains($0.id) && !engine.plan.isUndecided($0.id)
                } ?? false
            let (instance, actions) = Instance.begin(
                number, found, configuration, isStale: isStale, now: now)
            engine.fleet.add(instance)
            engine.perform(actions, at: number, now: now)
        }
        engine.resumeTrials(now: now)
        let actions = engine.settle(now: now)
        return (engine, actions)
    }

    /// Begins again the trial of a release that an earlier deployex left undecided. The release
    /// gets its whole time again.
    private mutating func resumeTrials(now: MonotonicTime) {
        let deadline = now + configuration.timings.readyTimeout
        let isSettling = fleet.contains { $0.interrupted != nil }
        for number in fleet.numbers {
            guard let current = fleet[number].current, !fleet[number].isStoppedByOperator,
                plan.isUndecided(current.id)
            else { continue }
            _ = fleet[number].perform(.beginTrial(until: deadline), now: now)
            // An empty record means that an older deployex, which kept none, left this state.
            guard rollout == nil, !isSettling, plan.record != ApplicationRecord(),
                let release = try? Release(version: current.version, hash: current.hash)
            else { continue }
            rollout = .awaiting(current, release, at: number, deadline: deadline, now: now)
        }
    }
}

// MARK: Events

extension DeploymentEngine {
    /// Takes an event and returns the actions that follow from it, in order.
    package mutating func handle(_ event: EngineEvent, now: MonotonicTime) -> [EngineAction] {
        switch event {
        case .timePassed: break
        case .catalogAnnounced: plan.catalogAnnounced(now: now)
        case .packagesAnnounced: plan.packagesAnnounced(now: now)
        case .catalogRead(let release): plan.catalogRead(release, now: now)
        case .catalogReadFailed(let reason):
            if plan.catalogReadFailed(reason, now: now) { actions.append(.log(.error, reason)) }
        case .commanded(let id, let command, let caller):
            let result = perform(command, by: caller, now: now)
            actions.append(.reply(id, result))
        case .shutdownRequested: shutDown(now: now)

        case .staged(let number, let release, let decision):
            staging.staged(number, release, decision, now: now)
        case .stagingFailed(let number, let release, let reason):
            if staging.isStaging(number, release) {
                staging.failed(number, release, reason)
            } else {
                tellRollout(number, release, now: now) { told, _ in told.stagingFailed(reason) }
            }
        case .preCommandsDone(let number, let release):
            plan.notePrepared(release.id)
            tellRollout(number, release, now: now) { $0.preCommandsDone($1) }
        case .preCommandsFailed(let number, let release, let reason):
            tellRollout(number, release, now: now) { told, _ in told.preCommandsFailed(reason) }
        case .promoted(let number, let release):
            tellRollout(number, release, now: now) { $0.promoted($1) }
        case .promotionFailed(let number, let release, let reason):
            tellRollout(number, release, now: now) { $0.promotionFailed(reason, $1) }
        case .hotUpgraded(let number, let release, let leftBehind):
            tellRollout(number, release, now: now) { $0.upgraded(leftBehind: leftBehind, $1) }
        case .hotUpgradeFailed(let number, let release, let reason, let isUntouched):
            tellRollout(number, release, now: now) {
                $0.upgradeFailed(reason, nodeIsUntouched: isUntouched, $1)
            }
        case .nodeRestarts(let number, let release, let reason):
            tellRollout(number, release, now: now) { $0.nodeRestarts(reason, $1) }
        case .configurationFailed(let number, let release, let reason, let isForeign):
            tellRollout(number, release, now: now) {
                $0.configurationFailed(reason, isForeign: isForeign, $1)
            }
        case .reverted(let number, let release):
            tellRollout(number, nil, now: now) { $0.reverted(to: release, $1) }
        case .reversionFailed(let number, let reason):
            tellRollout(number, nil, now: now) { $0.reversionFailed(reason, $1) }
        case .logTailRead(let number, let id, let lines):
            actions += plan.logTailRead(number, id, lines)

        case .stands(let number, let release):
            // While the instance is being changed, the end of the change says what it runs.
            guard !isBeingChanged(number) else { break }
            // The release that was to become ready is gone through nobody's fault: a new rollout
            // brings it.
            if release == nil, rollout?.isAwaitingReady(number) == true { rollout = nil }
            tell(number, now: now) { $0.boots(release) }
        case .spawned(let number, let identity):
            tell(number, now: now) { $0.spawned(identity, now: now) }
        case .spawnFailed(let number, let reason, let isOfRelease):
            tell(number, now: now) {
                $0.spawnFailed(reason: reason, isOfRelease: isOfRelease, now: now)
            }
        case .exited(let number, let exit):
            tell(number, now: now) { $0.exited(exit, now: now) }
        case .sessionEnded(let number):
            tell(number, now: now) { $0.sessionEnded(now: now) }
        case .probed(let number, let run, let result):
            let isBeingChanged = isBeingChanged(number)
            tell(number, now: now) {
                $0.probed(result, run: run, isBeingChanged: isBeingChanged, now: now)
            }
        case .connected(let number, let creation):
            tell(number, now: now) { $0.connected(creation: creation, now: now) }
        case .disconnected(let number):
            fleet[number].disconnected(now: now)
        }
        return settle(now: now)
    }

    /// When to come back with ``EngineEvent/timePassed`` at the latest.
    package var nextDeadline: MonotonicTime? {
        var deadlines = fleet.map(\.nextDeadline) + [rollout?.nextDeadline]
        if !isShuttingDown {
            deadlines.append(plan.nextCatalogRead)
            if rollout == nil { deadlines.append(plan.nextAttempt) }
        }
        return deadlines.compactMap { $0 }.min()
    }

    package var snapshot: ApplicationSnapshot {
        ApplicationSnapshot(
            application: configuration.application, targetVersion: target?.version,
            pinnedVersion: plan.record.pinned?.version, ghosted: plan.record.ghosted,
            history: plan.record.history, good: plan.record.good.map(\.id), problem: plan.problem,
            rollout: rollout?.snapshot ?? staging.snapshot, instances: fleet.map(\.snapshot))
    }

    /// Passes the event to the rollout, if it concerns the rollout's instance and release.
    private mutating func tellRollout(
        _ number: InstanceNumber, _ release: Release?, now: MonotonicTime,
        _ event: (inout Rollout, Rollout.Surroundings) -> [Rollout.Action]
    ) {
        guard var told = rollout, told.instance == number,
            release == nil || told.release.id == release?.id
        else { return }
        let actions = event(&told, surroundings(now: now))
        rollout = told
        perform(actions, of: told, now: now)
    }

    private mutating func tell(
        _ number: InstanceNumber, now: MonotonicTime, _ event: (inout Instance) -> [Instance.Action]
    ) {
        perform(event(&fleet[number]), at: number, now: now)
    }

    private func isBeingChanged(_ number: InstanceNumber) -> Bool {
        rollout?.isChanging(number) == true
    }

    private func surroundings(now: MonotonicTime) -> Rollout.Surroundings {
        Rollout.Surroundings(
            plan: plan, fleet: fleet, isShuttingDown: isShuttingDown,
            timings: configuration.timings, now: now)
    }
}

// MARK: After every event

extension DeploymentEngine {
    /// Does everything that is due, and hands over the actions.
    private mutating func settle(now: MonotonicTime) -> [EngineAction] {
        for number in fleet.numbers { tell(number, now: now) { $0.timePassed(now: now) } }
        if isShuttingDown {
            perform(staging.update(nil, now: now), now: now)
            finishIfStopped()
        } else {
            if plan.timePassed(now: now) { actions.append(.readCatalog) }
            if let rollout {
                tellRollout(rollout.instance, nil, now: now) { $0.timePassed($1) }
            }
            restartDoubtful(now: now)
            if rollout == nil { resumeInterrupted(now: now) }
            prepare(now: now)
            if rollout == nil { beginRollout(now: now) }
            if rollout == nil, !staging.isUnderWay { startAwaiting(now: now) }
            for number in fleet.numbers { tell(number, now: now) { $0.probeIfDue(now: now) } }
        }
        for number in fleet.numbers {
            if let note = fleet[number].takeNote() { actions.append(.note(number, note)) }
        }
        // The record comes first: a decision is on record before anything is done because of it.
        if let record = plan.takeUnsaved() { actions.insert(.save(record), at: 0) }
        defer { actions = [] }
        return actions
    }

    /// Restarts an instance that a failed upgrade in place has left in doubt, as soon as it may be
    /// spared.
    private mutating func restartDoubtful(now: MonotonicTime) {
        for instance in fleet where instance.health.isDoubtful {
            guard fleet.maySpare(instance.number), rollout?.instance != instance.number else {
                continue
            }
            tell(instance.number, now: now) { $0.perform(.settleDoubt, now: now) }
        }
    }

    private mutating func resumeInterrupted(now: MonotonicTime) {
        for number in fleet.numbers {
            guard let upgrade = fleet[number].takeInterrupted() else { continue }
            return begin(Rollout.resuming(upgrade, at: number, now: now), now: now)
        }
    }

    /// Starts instances that waited for a release that does not come now: the release that they
    /// have is better than nothing.
    private mutating func startAwaiting(now: MonotonicTime) {
        guard plan.hasReadCatalog, !fleet.contains(where: \.health.isUnheard) else { return }
        for number in fleet.numbers where fleet[number].isAwaitingTarget {
            tell(number, now: now) { $0.perform(.start, now: now) }
        }
    }

    /// Stages the target wherever its package is needed, and discards what is staged elsewhere.
    private mutating func prepare(now: MonotonicTime) {
        var wanted: FleetStaging.Wanted?
        // What would be fetched may be another publication of the version, if there is one by now.
        if let target, plan.record.isInStore(target.id) {
            wanted = FleetStaging.Wanted(
                release: target,
                instances: fleet.filter {
                    $0.number != rollout?.instance && !$0.isStoppedByOperator
                        && plan.isOutdated($0, target) && !plan.isReverted($0, to: target)
                },
                mayStage: rollout == nil && !fleet.contains(where: \.health.isUnheard)
                    && plan.mayBegin(target, in: fleet, now: now),
                isIdle: rollout == nil, failureCount: plan.failureCount(of: target))
        }
        perform(staging.update(wanted, now: now), now: now)
    }

    private mutating func beginRollout(now: MonotonicTime) {
        guard let target, !fleet.contains(where: \.health.isUnheard) else { return }
        if let told = plan.takeIgnored(target, in: fleet) { actions.append(told) }
        if fleet.contains(where: { $0.isReady && $0.current?.id == target.id }) {
            plan.noteTargetGood(target)
        }
        guard plan.mayBegin(target, in: fleet, now: now) else { return }
        // The way back does not wait for what others need.
        let next = fleet.next {
            plan.isOutdated($0, target)
                && (plan.isReverted($0, to: target) || staging.mayDeploy($0.number))
        }
        guard let next else { return }
        if let staged = staging.take(next.number) {
            begin(
                Rollout.deploying(target, staged, at: next.number, surroundings(now: now)),
                now: now)
        } else {
            begin(Rollout.reverting(next, to: target, surroundings(now: now)), now: now)
        }
    }

    private mutating func begin(_ begun: (Rollout, [Rollout.Action]), now: MonotonicTime) {
        rollout = begun.0
        perform(begun.1, of: begun.0, now: now)
        // If there is no process to stop, the rollout goes on at once.
        tellRollout(begun.0.instance, nil, now: now) { $0.timePassed($1) }
    }
}

// MARK: What the machines want

extension DeploymentEngine {
    private mutating func perform(
        _ wanted: [Rollout.Action], of rollout: Rollout, now: MonotonicTime
    ) {
        for action in wanted {
            switch action {
            case .ask(let action): actions.append(action)
            case .tell(let order): tell(rollout.instance, now: now) { $0.perform(order, now: now) }
            case .failTrial(let reason): failTrial(rollout.instance, reason, now: now)
            case .ghost(let reason):
                actions.append(plan.ghost(rollout.release.id, reason, in: fleet, now: now))
            case .end(let outcome, let reason): endRollout(outcome, reason: reason, now: now)
            case .abandon: self.rollout = nil
            case .noteFailedUpgrade(let from, let reason):
                plan.noteFailedUpgrade(of: rollout, from: from, reason: reason, now: now)
            case .postpone(let reason):
                actions.append(plan.postpone(rollout.release, reason, now: now))
            }
        }
    }

    private mutating func perform(_ wanted: [FleetStaging.Action], now: MonotonicTime) {
        for action in wanted {
            switch action {
            case .ask(let action): actions.append(action)
            case .begin: plan.stagingBegins()
            case .postpone(let release, let reason):
                actions.append(plan.postpone(release, reason, now: now))
            }
        }
    }

    private mutating func perform(
        _ wanted: [Instance.Action], at number: InstanceNumber, now: MonotonicTime
    ) {
        for action in wanted {
            switch action {
            case .ask(let action): actions.append(action)
            case .becameReady:
                plan.becameReady(number)
                if let current = fleet[number].current { plan.noteGood(current, latest: false) }
            case .failedTrial(let reason):
                // While its node is being upgraded, the end of the upgrade reports the outcome.
                if !isBeingChanged(number) { failTrial(number, reason, now: now) }
            case .hung(let count):
                let patience = configuration.timings.readyTimeout
                guard fleet.mayKillHung(number, patience: patience, now: now) else { continue }
                tell(number, now: now) { $0.perform(.killHung(count: count), now: now) }
            }
        }
    }

    private mutating func endRollout(
        _ outcome: DeploymentOutcome.Outcome, reason: String?, now: MonotonicTime
    ) {
        guard let ended = rollout.take() else { return }
        if outcome == .succeeded, let current = fleet[ended.instance].current {
            plan.noteGood(current, latest: true)
        }
        plan.note(ended, outcome, reason: reason, now: now)
    }

    /// A release on trial has failed at an instance.
    private mutating func failTrial(_ number: InstanceNumber, _ reason: String, now: MonotonicTime)
    {
        guard let current = fleet[number].current else { return }
        _ = fleet[number].perform(.endTrial, now: now)
        let reason = "instance \(number): \(reason)"
        if rollout?.isAwaitingReady(number) == true {
            endRollout(.failed, reason: reason, now: now)
        }
        actions += plan.failedTrial(current.id, at: number, reason, in: fleet, now: now)
    }
}

// MARK: Commands

extension DeploymentEngine {
    private mutating func perform(
        _ command: EngineCommand, by caller: String?, now: MonotonicTime
    ) -> CommandResult {
        guard !isShuttingDown else { return .refused("deployex is stopping") }
        let desk = CommandDesk(
            application: configuration.application, fleet: fleet, rollout: rollout, now: now)
        let decision = desk.decide(command, on: &plan)
        if case .done = decision.result { plan.noteCommand(command, by: caller, in: fleet) }
        for action in decision.actions {
            switch action {
            case .ask(let action): actions.append(action)
            case .tell(let number, let order):
                tell(number, now: now) { $0.perform(order, now: now) }
            case .endRollout(let reason): endRollout(.failed, reason: reason, now: now)
            }
        }
        return decision.result
    }
}

// MARK: Shutting down

extension DeploymentEngine {
    private mutating func shutDown(now: MonotonicTime) {
        guard !isShuttingDown else { return }
        life = .shuttingDown
        for number in fleet.numbers { tell(number, now: now) { $0.perform(.stop, now: now) } }
    }

    private mutating func finishIfStopped() {
        guard life == .shuttingDown, fleet.allSatisfy({ $0.status == .idle }) else { return }
        // Do not leave while folders are half-way through their exchange.
        guard rollout?.isMoving != true else { return }
        life = .finished
        actions.append(.finish)
    }
}
