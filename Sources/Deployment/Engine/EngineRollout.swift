internal import ErlDist
internal import Supervisor
internal import Transport

// How an instance comes to the target.

extension DeploymentEngine {
    // MARK: Choosing what to roll out

    mutating func beginRolloutIfNeeded(now: MonotonicTime) {
        guard rollout == nil, let target, !instances.contains(where: \.isUnknown) else { return }
        // A deployex that was killed before it had seen the target ready has not noted it.
        if instances.contains(where: { $0.isReady && $0.current?.id == target.id }) {
            _ = record.noteGood(target, latest: true)
        }
        if let retry, retry.release == target, now < retry.notBefore { return }
        // What already runs the target must be ready before it is carried any further.
        let isProven = instances.indices.allSatisfy {
            instances[$0].isStoppedByOperator || isOutdated($0, target) || instances[$0].isReady
        }
        guard isProven, let index = nextInstance(for: target) else { return }
        let running = instances[index].current
        log(
            .info,
            "Update is needed at instance: \(index + 1) from: \(running?.version ?? "none")"
                + " to: \(target.version).")
        if let running, instances[index].previous?.id == target.id,
            record.isGhosted(running.id) || !record.isInStore(target.id)
        {
            rollout = Rollout(
                instance: index, release: target, phase: .stopping, kind: .rollback, begin: now)
            return stopForChange(index, now: now)
        }
        rollout = Rollout(
            instance: index, release: target, phase: .staging, kind: .fullDeployment, begin: now)
        actions.append(.stage(index + 1, target, running: running?.version))
    }

    /// Instances that are not ready come first: changing them costs nobody anything.
    private func nextInstance(for target: Release) -> Int? {
        let outdated = instances.indices.filter {
            !instances[$0].isStoppedByOperator && isOutdated($0, target)
        }
        if let index = outdated.first(where: { !instances[$0].isReady }) { return index }
        return outdated.first.flatMap { maySpare($0) ? $0 : nil }
    }

    /// A release whose trial an earlier deployex began, and that no instance has shown to be good, has
    /// its time again.
    mutating func resumeTrial(now: MonotonicTime) {
        for index in instances.indices {
            guard let current = instances[index].current, !instances[index].isStoppedByOperator,
                !record.good.contains(where: { $0.id == current.id }),
                !record.isGhosted(current.id)
            else { continue }
            let until = now + timings.readyTimeout
            instances[index].trial = EngineInstance.Trial(until: until)
            // Without any record this is the state of a deployex that kept none.
            guard rollout == nil, !hasInterrupted, record != ApplicationRecord(),
                let release = try? Release(version: current.version, hash: current.hash)
            else { continue }
            rollout = Rollout(
                instance: index, release: release, phase: .awaitingReady(deadline: until),
                kind: DeploymentOutcome.Kind(current.deployment), begin: now)
        }
    }

    // MARK: Staging

    mutating func staged(
        _ index: Int, _ release: Release, _ decision: UpgradeDecision, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .staging) else { return }
        guard mayGoOn(index, release) else { return }
        let (level, text) = decision.logLine
        log(level, text)
        guard !release.preCommands.isEmpty, !record.isPrepared(release.id) else {
            return begin(decision, index, release, now: now)
        }
        rollout?.phase = .preparing(decision)
        log(
            .info,
            "Running \(release.preCommands.count) pre-commands of version \(release.version)")
        actions.append(.runPreCommands(index + 1, release))
    }

    /// Whether `release` is still what the instance is to run; if not, what is staged is dropped:
    /// nothing has been touched yet.
    private mutating func mayGoOn(_ index: Int, _ release: Release) -> Bool {
        guard target?.id == release.id, !instances[index].isStoppedByOperator, !isShuttingDown
        else {
            actions.append(.discardStaged(index + 1))
            rollout = nil
            return false
        }
        return true
    }

    mutating func stagingFailed(
        _ index: Int, _ release: Release, _ reason: String, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .staging) else { return }
        rollout = nil
        giveUpForNow(release, "\(reason)", now: now)
    }

    private mutating func giveUpForNow(_ release: Release, _ reason: String, now: MonotonicTime) {
        let failures = retry?.release == release ? (retry?.failureCount ?? 0) + 1 : 1
        let factor = 1 << min(failures - 1, 16)
        let delay = min(timings.retryDelay * factor, timings.maximumRetryDelay)
        retry = RetryState(
            release: release, failureCount: failures, notBefore: now + delay, reason: reason)
        log(.error, "\(reason); next attempt in \(Self.text(delay))")
    }

    private mutating func begin(
        _ decision: UpgradeDecision, _ index: Int, _ release: Release, now: MonotonicTime
    ) {
        switch decision {
        case .hotUpgrade(let from, _) where instances[index].isReady:
            rollout?.phase = .hotUpgrading
            rollout?.kind = .hotUpgrade
            actions.append(.hotUpgrade(index + 1, from: from, to: release))
        case .hotUpgrade:
            log(.warning, "Instance: \(index + 1) is not ready: full deployment instead")
            stopForChange(index, now: now)
        case .fullDeployment:
            guard maySpare(index) else {
                actions.append(.discardStaged(index + 1))
                return waitForOthers(index, release, now: now)
            }
            stopForChange(index, now: now)
        }
    }

    /// Whether the instance may be stopped: it serves nobody, or another one is ready, or there is no
    /// other. What was so when its rollout began may have changed while the package was fetched.
    private func maySpare(_ index: Int) -> Bool {
        guard instances[index].isReady else { return true }
        let others = instances.indices.filter { $0 != index && !instances[$0].isStoppedByOperator }
        // One that was ready and is being stopped serves no longer.
        return others.isEmpty || others.contains { instances[$0].isReady && instances[$0].isProbed }
    }

    /// Starts anew what a failed upgrade in place has left in doubt, as soon as that costs nobody
    /// anything.
    mutating func restartDoubtful(now: MonotonicTime) {
        for index in instances.indices where instances[index].isDoubtful && maySpare(index) {
            guard rollout?.instance != index else { continue }
            instances[index].isDoubtful = false
            apply(instances[index].machine.restartRequested(now: now), to: index)
        }
    }

    private mutating func waitForOthers(_ index: Int, _ release: Release, now: MonotonicTime) {
        rollout = nil
        giveUpForNow(
            release, "Instance: \(index + 1) is the only one that is ready, and is not stopped",
            now: now)
    }

    // MARK: Pre-commands

    mutating func preCommandsDone(_ index: Int, _ release: Release, now: MonotonicTime) {
        record.notePrepared(release.id)
        guard case .preparing(let decision)? = rollout?.phase,
            isRollout(index, release, in: .preparing(decision)), mayGoOn(index, release)
        else { return }
        begin(decision, index, release, now: now)
    }

    mutating func preCommandsFailed(
        _ index: Int, _ release: Release, _ reason: String, now: MonotonicTime
    ) {
        guard case .preparing(let decision)? = rollout?.phase,
            isRollout(index, release, in: .preparing(decision))
        else { return }
        actions.append(.discardStaged(index + 1))
        endRollout(.failed, reason: reason, now: now)
        // Running them again by ourselves might do harm: somebody has to look at them.
        ghost(release.id, reason, now: now)
    }

    // MARK: Full deployment

    /// The instance stops; the folders change places after that.
    private mutating func stopForChange(_ index: Int, now: MonotonicTime) {
        if let pid = instances[index].identity?.pid {
            log(.info, "Requested instance: \(index + 1) to stop application pid: \(pid)")
        } else {
            log(.info, "Requested instance: \(index + 1) to stop but application is not running.")
        }
        if rollout?.kind == .hotUpgrade { rollout?.kind = .fullDeployment }
        rollout?.phase = .stopping
        apply(instances[index].machine.stopRequested(now: now), to: index)
    }

    mutating func promoted(_ index: Int, _ release: Release, now: MonotonicTime) {
        guard isRollout(index, release, in: .promoting) else { return }
        if instances[index].current == nil { log(.warning, "No previous version set") }
        instances[index].previous = instances[index].current
        instances[index].current = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        startChanged(index, now: now)
    }

    mutating func promotionFailed(
        _ index: Int, _ release: Release, _ reason: String, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .promoting) else { return }
        rollout = nil
        giveUpForNow(release, reason, now: now)
        guard !isShuttingDown, instances[index].current != nil else { return }
        startProcess(index, now: now)
    }

    // MARK: Rollback

    mutating func reverted(_ index: Int, _ release: DeployedRelease, now: MonotonicTime) {
        guard rollout?.instance == index, rollout?.phase == .reverting else { return }
        let from = instances[index].current?.version ?? "none"
        instances[index].current = release
        instances[index].previous = nil
        log(
            .warning,
            "Rolled back instance: \(index + 1) from: \(from) to: \(release.version)")
        startChanged(index, now: now)
    }

    mutating func reversionFailed(_ index: Int, _ reason: String, now: MonotonicTime) {
        guard rollout?.instance == index, rollout?.phase == .reverting else { return }
        log(
            .error,
            "The previous version of instance: \(index + 1) cannot be brought back: \(reason); its "
                + "package is deployed instead")
        // The next rollout stages the target: there is no previous release to it any more.
        instances[index].previous = nil
        rollout = nil
        guard !isShuttingDown else { return }
        startProcess(index, now: now)
    }

    // MARK: Hot upgrade

    mutating func hotUpgraded(_ index: Int, _ release: Release, now: MonotonicTime) {
        guard isRollout(index, release, in: .hotUpgrading) else { return }
        let from = instances[index].current
        instances[index].previous = from
        instances[index].current = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        log(
            .info,
            "Release upgrade executed with success at instance: \(index + 1)"
                + " from: \(from?.version ?? "none") to: \(release.version)")
        awaitReady(index, now: now)
        // Ready means: seen so since the upgrade.
        instances[index].forgetReadiness(now: now)
        instances[index].isUnknown = true
    }

    mutating func hotUpgradeFailed(
        _ index: Int, _ release: Release, _ reason: String, nodeIsUntouched: Bool,
        now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .hotUpgrading) else { return }
        guard !isShuttingDown else {
            rollout = nil
            return
        }
        // The package of an interrupted upgrade is not staged any more, nor that of a ghosted one wanted.
        guard target?.id == release.id, !isResumed(index) else {
            log(.error, "Hot upgrade failed at instance: \(index + 1): \(reason)")
            endRollout(.failed, reason: reason, now: now)
            actions.append(.discardStaged(index + 1))
            // What an interrupted installation has left in the node is known only after a boot.
            if !nodeIsUntouched { instances[index].isDoubtful = true }
            return
        }
        guard maySpare(index) else {
            log(.error, "Hot upgrade failed at instance: \(index + 1): \(reason)")
            endRollout(.failed, reason: reason, now: now)
            actions.append(.discardStaged(index + 1))
            if !nodeIsUntouched { instances[index].isDoubtful = true }
            return waitForOthers(index, release, now: now)
        }
        log(
            .error,
            "Hot upgrade failed at instance: \(index + 1), running full deployment: \(reason)")
        stopForChange(index, now: now)
    }

    // MARK: Awaiting

    private mutating func startChanged(_ index: Int, now: MonotonicTime) {
        awaitReady(index, now: now)
        // Ghosted, or replaced by another one, while the folders changed places.
        guard let current = instances[index].current, !record.isGhosted(current.id) else {
            rollout = nil
            return
        }
        guard !isShuttingDown else { return }
        startProcess(index, now: now)
    }

    private mutating func awaitReady(_ index: Int, now: MonotonicTime) {
        let deadline = now + timings.readyTimeout
        rollout?.phase = .awaitingReady(deadline: deadline)
        instances[index].trial = EngineInstance.Trial(until: deadline)
    }

    mutating func advanceRollout(now: MonotonicTime) {
        guard let current = rollout else { return }
        let index = current.instance
        let instance = instances[index]
        switch current.phase {
        case .staging, .preparing, .promoting, .reverting, .hotUpgrading:
            break
        case .stopping:
            guard instance.machine.status == .idle else { return }
            // Ghosted or replaced while it stopped: what stands there goes on.
            guard target?.id == current.release.id else {
                actions.append(.discardStaged(instance.number))
                rollout = nil
                if instance.current != nil { startProcess(index, now: now) }
                return
            }
            if current.kind == .rollback {
                rollout?.phase = .reverting
                actions.append(.revert(instance.number, current.release.id))
            } else {
                rollout?.phase = .promoting
                actions.append(.promote(instance.number, current.release))
            }
        case .awaitingReady(let deadline):
            if instance.isReady {
                if let deployed = instance.current { noteGood(deployed, latest: true) }
                endRollout(.succeeded, now: now)
            } else if let target, target.id != current.release.id {
                // A newer release may mend what keeps this one from becoming ready.
                endRollout(.failed, reason: "replaced before it was ready", now: now)
            } else if deadline <= now {
                trialFailed(
                    index,
                    "version \(current.release.version) is not ready after "
                        + "\(Self.text(timings.readyTimeout))", now: now)
            }
        }
    }

    mutating func endRollout(
        _ outcome: DeploymentOutcome.Outcome, reason: String? = nil, now: MonotonicTime
    ) {
        guard let ended = rollout.take() else { return }
        if outcome == .succeeded { retry = nil }
        record.note(
            DeploymentOutcome(
                version: ended.release.version, hash: ended.release.hash, kind: ended.kind,
                instance: ended.instance + 1, outcome: outcome, at: seconds(at: now),
                milliseconds: (now - ended.begin).nanoseconds / 1_000_000, reason: reason))
    }

    // MARK: Small things

    private func isRollout(_ index: Int, _ release: Release, in phase: Rollout.Phase) -> Bool {
        rollout?.instance == index && rollout?.release.id == release.id && rollout?.phase == phase
    }

    /// Whether the hot upgrade under way is one that an earlier deployex had begun.
    private func isResumed(_ index: Int) -> Bool {
        rollout?.instance == index && rollout?.isResumed == true
    }
}

extension DeploymentOutcome.Kind {
    init(_ kind: DeploymentKind) {
        switch kind {
        case .fullDeployment: self = .fullDeployment
        case .hotUpgrade: self = .hotUpgrade
        }
    }
}
