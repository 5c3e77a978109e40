internal import ErlDist
internal import Supervisor
internal import Transport

// What is to run: the catalog, operators' wishes, ghosts and good releases.

extension DeploymentEngine {
    /// What somebody wants to run, ghosted or not.
    var wanted: Release? {
        guard let pinned = record.pinned else { return catalog.target }
        // The same version by the catalog's words: with its hash and pre-commands.
        if let named = catalog.target, named.version == pinned.version { return named }
        return pinned
    }

    /// What is to run.
    var target: Release? {
        guard let wanted else { return nil }
        guard record.isGhosted(wanted.id) else { return wanted }
        return fallback(from: wanted.id)
    }

    /// What to go back to from `id`: the latest good release of which every instance can get the very
    /// bytes that were good. Where a later publication has taken the place of all of them in the store,
    /// the latest such publication of a good version, as what it is: a new release, on trial.
    func fallback(from id: ReleaseID) -> Release? {
        let good = record.goodReleases(otherThan: id)
        if let release = good.first(where: { isAvailable($0.id) }) { return release }
        return good.lazy.compactMap { self.record.publication(of: $0.version) }
            .first { $0.id != id && !self.record.isGhosted($0.id) }
    }

    /// Whether every instance has that release, or can get it from the store.
    private func isAvailable(_ id: ReleaseID) -> Bool {
        record.isInStore(id)
            || instances.allSatisfy {
                $0.isStoppedByOperator || $0.current?.id == id || $0.previous?.id == id
            }
    }

    /// Whether the instance is to be changed to `target`. What was published again with other bytes
    /// replaces what was ghosted, was never ready, or does not stay up, though the version is the same.
    func isOutdated(_ index: Int, _ target: Release) -> Bool {
        guard let current = instances[index].current else { return true }
        guard current.version == target.version else { return true }
        guard current.hash != target.hash, !target.hash.isEmpty else {
            return record.isGhosted(current.id)
        }
        return record.isGhosted(current.id) || !record.good.contains { $0.id == current.id }
            || instances[index].machine.consecutiveCrashes > timings.maximumCrashes
    }

    mutating func catalogRead(_ release: Release?, now: MonotonicTime) {
        let before = catalog.target
        catalog.read(release, now: now)
        if let release { record.notePublished(release) }
        guard catalog.target != before else { return }
        // Another release: what was wrong with the last one no longer matters.
        retry = nil
    }

    /// Takes `id` out of use. Whatever runs it is brought to the new target by the rollouts to come.
    mutating func ghost(_ id: ReleaseID, _ reason: String, now: MonotonicTime) {
        record.ghost(id, reason: reason, at: seconds(at: now))
        retry = nil
        let next = target?.version
        log(
            .error,
            "Version \(id.version) is ghosted: \(reason); "
                + (next.map { "back to \($0)" } ?? "there is no earlier version to go back to")
                + ". `deployex unghost \(id.version)` lets it be deployed again")
    }

    /// A release on trial has failed at an instance. Where there is nothing to go back to it is left to
    /// its restarts: what is missing outside, such as a database, may come.
    mutating func trialFailed(_ index: Int, _ reason: String, now: MonotonicTime) {
        guard let current = instances[index].current else { return }
        instances[index].trial = nil
        let outcome = "instance \(index + 1): \(reason)"
        if rollout?.instance == index, case .awaitingReady? = rollout?.phase {
            endRollout(.failed, reason: outcome, now: now)
        }
        guard !record.isGhosted(current.id) else { return }
        guard fallback(from: current.id) != nil else {
            log(
                .error,
                "Version \(current.version) failed at \(outcome); there is no earlier version to "
                    + "go back to, so it goes on being restarted")
            return
        }
        ghost(current.id, outcome, now: now)
        actions.append(.readLogTail(index + 1, current.id))
    }

    mutating func logTailRead(_ number: Int, _ id: ReleaseID, _ lines: [String]) {
        guard record.setLogLines(lines, of: id), !lines.isEmpty else { return }
        log(.error, "Instance: \(number) said last:")
        for line in lines.suffix(ApplicationRecord.Limits.logLines) {
            log(.error, "  \(line.prefix(500))")
        }
    }

    /// An instance is ready: what it runs works.
    mutating func noteGood(_ deployed: DeployedRelease, latest: Bool) {
        guard !record.isGhosted(deployed.id) else { return }
        let release: Release
        if let wanted, wanted.id == deployed.id {
            release = wanted
        } else {
            // What stands on disk was a release once; a version that is none any more is not kept.
            guard let parsed = try? Release(version: deployed.version, hash: deployed.hash) else {
                return
            }
            release = parsed
        }
        _ = record.noteGood(release, latest: latest)
    }
}

// MARK: - Commands

extension DeploymentEngine {
    mutating func perform(_ command: EngineCommand, now: MonotonicTime) -> CommandResult {
        guard !isShuttingDown else { return .refused("deployex is stopping") }
        switch command {
        case .deploy(let version?): return pin(version)
        case .deploy(nil): return unpin()
        case .rollback: return rollBack(now: now)
        case .unghost(let version):
            guard record.unghost(version: version) > 0 else {
                return .refused("version \(version) is not ghosted")
            }
            retry = nil
            return .done("version \(version) may be deployed again")
        case .restart(let number):
            return onInstance(number) { engine, index in
                guard engine.instances[index].current != nil else {
                    return .refused("instance \(number) has no version to start")
                }
                engine.instances[index].isStoppedByOperator = false
                engine.log(.info, "Restart requested for instance: \(number)")
                engine.apply(
                    engine.instances[index].machine.restartRequested(now: now), to: index)
                return .done("instance \(number) is being restarted")
            }
        case .stop(let number):
            return onInstance(number) { engine, index in
                engine.stop(index, now: now)
            }
        case .start(let number):
            return onInstance(number) { engine, index in
                engine.instances[index].isStoppedByOperator = false
                guard engine.instances[index].current != nil else {
                    return .done("instance \(number) is deployed when its turn comes")
                }
                engine.startProcess(index, now: now)
                return .done("instance \(number) is being started")
            }
        }
    }

    private mutating func onInstance(
        _ number: Int, _ body: (inout DeploymentEngine, Int) -> CommandResult
    ) -> CommandResult {
        guard (1...configuration.replicas).contains(number) else {
            return .refused(
                "there is no instance \(number): \(configuration.application) has instances 1 to "
                    + "\(configuration.replicas)")
        }
        if let rollout, rollout.instance == number - 1, rollout.isChanging {
            return .refused(
                "instance \(number) is being changed to \(rollout.release.version): try again when "
                    + "that is done")
        }
        return body(&self, number - 1)
    }

    private mutating func stop(_ index: Int, now: MonotonicTime) -> CommandResult {
        let number = index + 1
        log(.info, "Stop requested for instance: \(number)")
        instances[index].isStoppedByOperator = true
        instances[index].trial = nil
        if let rollout, rollout.instance == index {
            switch rollout.phase {
            case .staging, .preparing:
                // Ended when the answer comes: it finds the instance stopped.
                break
            case .awaitingReady:
                endRollout(.failed, reason: "stopped by an operator", now: now)
            case .stopping, .promoting, .reverting, .hotUpgrading:
                preconditionFailure("Refused before")
            }
        }
        apply(instances[index].machine.stopRequested(now: now), to: index)
        return .done("instance \(number) is being stopped, and stays stopped until it is started")
    }

    private mutating func pin(_ version: String) -> CommandResult {
        let release: Release
        do throws(ReleaseError) {
            release = try Release(version: version)
        } catch {
            return .refused("\(version) cannot be deployed: \(error)")
        }
        let before = record.pinned
        record.pinned = release
        if let wanted, record.isGhosted(wanted.id) {
            record.pinned = before
            return .refused(
                "version \(version) is ghosted: `deployex unghost \(version)` first")
        }
        retry = nil
        log(.info, "Deployment of version \(version) requested")
        if let rollout {
            return .done(
                "version \(version) is deployed after instance \(rollout.instance + 1), which is "
                    + "changing to \(rollout.release.version)")
        }
        return .done("version \(version) is being deployed")
    }

    private mutating func unpin() -> CommandResult {
        guard record.pinned != nil else {
            return .done("the published version is followed already")
        }
        record.pinned = nil
        retry = nil
        log(.info, "The published version is followed again")
        return .done(
            "the published version is followed again"
                + (target.map { ": \($0.version)" } ?? ""))
    }

    private mutating func rollBack(now: MonotonicTime) -> CommandResult {
        guard let target else { return .refused("nothing is deployed yet") }
        guard let good = fallback(from: target.id) else {
            return .refused("there is no version before \(target.version) that was ready once")
        }
        ghost(target.id, "rolled back by an operator", now: now)
        return .done("going back from \(target.version) to \(good.version)")
    }
}
