internal import ErlDist
internal import Supervisor
package import Transport

/// Decides everything about the instances of one application: what to deploy where and when, and
/// when a process is started, stopped and probed. It does no I/O and reads no clock.
///
/// The deployer tells it what happened with ``handle(_:now:)``, carries out the actions that come
/// back, and returns at ``nextDeadline`` with ``EngineEvent/timePassed``.
///
/// A rollout changes one instance at a time, those that are not ready first, and goes on when the
/// one changed is ready. It never takes the last ready instance down while another is on its way.
package struct DeploymentEngine {
    private let configuration: EngineConfiguration
    private var timings: EngineConfiguration.Timings { configuration.timings }
    private var catalog: CatalogWatch
    private var instances: [EngineInstance]
    private var rollout: Rollout?
    private var retry: RetryState?
    /// The release that did not become ready; it is not carried to further instances.
    private var heldBack: Release?
    private var isShuttingDown = false
    private var isFinished = false
    private var actions: [EngineAction] = []

    /// What an instance's folder holds when the engine starts.
    package struct Found: Equatable, Sendable {
        package var current: DeployedRelease?
        package var previous: DeployedRelease?

        package init(current: DeployedRelease? = nil, previous: DeployedRelease? = nil) {
            self.current = current
            self.previous = previous
        }
    }

    /// - Parameter found: one element for each instance, in order.
    package init(configuration: EngineConfiguration, found: [Found], now: MonotonicTime) {
        precondition(found.count == configuration.replicas, "One element for each instance")
        self.configuration = configuration
        catalog = CatalogWatch(interval: configuration.timings.pollInterval, now: now)
        instances = found.enumerated().map { index, found in
            EngineInstance(
                number: index + 1,
                machine: InstanceMachine(
                    configuration: .init(stopTimeout: configuration.timings.stopTimeout)),
                current: found.current, previous: found.previous)
        }
    }

    /// Starts what is deployed already. Called once, before any event.
    package mutating func start(now: MonotonicTime) -> [EngineAction] {
        log(.info, "Initialising deployment server")
        for index in instances.indices {
            log(.info, "Initialising monitor server for instance: \(index + 1)")
            if instances[index].current == nil {
                log(.info, "No version set, not able to run_service")
            } else {
                startProcess(index, now: now)
            }
        }
        return settle(now: now)
    }

    /// Takes an event and returns what is to be done because of it, in order.
    package mutating func handle(_ event: EngineEvent, now: MonotonicTime) -> [EngineAction] {
        switch event {
        case .timePassed:
            break
        case .catalogAnnounced:
            catalog.announced(now: now)
        case .catalogRead(let release):
            catalogRead(release, now: now)
        case .catalogReadFailed(let reason):
            if catalog.failed(reason, now: now) { log(.error, reason) }
        case .staged(let number, let release, let decision):
            staged(number - 1, release, decision, now: now)
        case .stagingFailed(let number, let release, let reason):
            stagingFailed(number - 1, release, reason, now: now)
        case .promoted(let number, let release):
            promoted(number - 1, release, now: now)
        case .promotionFailed(let number, let release, let reason):
            promotionFailed(number - 1, release, reason, now: now)
        case .hotUpgraded(let number, let release):
            hotUpgraded(number - 1, release, now: now)
        case .hotUpgradeFailed(let number, let release, let reason):
            hotUpgradeFailed(number - 1, release, reason, now: now)
        case .spawned(let number, let identity):
            apply(instances[number - 1].machine.spawned(identity, now: now), to: number - 1)
            instances[number - 1].probeSoon(now: now)
        case .spawnFailed(let number, let reason):
            apply(
                instances[number - 1].machine.spawnFailed(reason: reason, now: now), to: number - 1)
        case .exited(let number, let status):
            instances[number - 1].endRun()
            apply(instances[number - 1].machine.exited(status, now: now), to: number - 1)
        case .sessionEnded(let number):
            apply(instances[number - 1].machine.sessionEnded(now: now), to: number - 1)
        case .probed(let number, let run, let readiness):
            probed(number - 1, run: run, readiness, now: now)
        case .disconnected(let number):
            instances[number - 1].isConnected = false
            instances[number - 1].probeSoon(now: now)
        case .shutdownRequested:
            shutDown(now: now)
        }
        return settle(now: now)
    }

    /// When to come back with ``EngineEvent/timePassed`` at the latest.
    package var nextDeadline: MonotonicTime? {
        var deadlines = instances.compactMap(\.nextDeadline)
        if !isShuttingDown {
            if let nextRead = catalog.nextRead { deadlines.append(nextRead) }
            if rollout == nil, let retry { deadlines.append(retry.notBefore) }
        }
        if case .awaitingReady(let deadline)? = rollout?.phase { deadlines.append(deadline) }
        return deadlines.min()
    }

    package var snapshot: ApplicationSnapshot {
        ApplicationSnapshot(
            application: configuration.application, targetVersion: catalog.target?.version,
            instances: instances.map(\.snapshot))
    }

    // MARK: After every event

    /// Lets everything that is due happen, and hands over the actions.
    private mutating func settle(now: MonotonicTime) -> [EngineAction] {
        for index in instances.indices {
            apply(instances[index].machine.timePassed(now: now), to: index)
        }
        if isShuttingDown {
            finishIfStopped()
        } else {
            if catalog.beginIfDue(now: now) { actions.append(.readCatalog) }
            advanceRollout(now: now)
            beginRolloutIfNeeded(now: now)
            for index in instances.indices where instances[index].beginProbeIfDue(now: now) {
                actions.append(.probe(index + 1, run: instances[index].run))
            }
        }
        defer { actions = [] }
        return actions
    }

    // MARK: Choosing what to roll out

    private mutating func catalogRead(_ release: Release?, now: MonotonicTime) {
        let before = catalog.target
        catalog.read(release, now: now)
        guard catalog.target != before else { return }
        // Another release: what was wrong with the last one no longer matters.
        retry = nil
        heldBack = nil
    }

    private mutating func beginRolloutIfNeeded(now: MonotonicTime) {
        guard rollout == nil, let target = catalog.target, target != heldBack else { return }
        if let retry, retry.release == target, now < retry.notBefore { return }
        // What already runs the target must be ready before it is carried any further.
        let isProven = instances.allSatisfy { $0.current?.version != target.version || $0.isReady }
        guard isProven, let index = nextInstance(for: target) else { return }
        let running = instances[index].current?.version
        log(
            .info,
            "Update is needed at instance: \(index + 1) from: \(running ?? "none")"
                + " to: \(target.version).")
        rollout = Rollout(instance: index, release: target, phase: .staging)
        actions.append(.stage(index + 1, target, running: running))
    }

    /// Instances that are not ready come first: changing them costs nobody anything.
    private func nextInstance(for target: Release) -> Int? {
        let outdated = instances.indices.filter {
            instances[$0].current?.version != target.version
        }
        if let index = outdated.first(where: { !instances[$0].isReady }) { return index }
        guard let index = outdated.first else { return nil }
        let others = instances.indices.filter { $0 != index }
        let leavesOneReady = others.contains { instances[$0].isReady }
        return leavesOneReady || others.isEmpty ? index : nil
    }

    // MARK: Staging

    private mutating func staged(
        _ index: Int, _ release: Release, _ decision: UpgradeDecision, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .staging) else { return }
        guard catalog.target == release else {
            // Replaced while it was fetched: nothing has been touched yet.
            actions.append(.discardStaged(index + 1))
            rollout = nil
            return
        }
        let (level, text) = decision.logLine
        log(level, text)
        switch decision {
        case .hotUpgrade(let from, _) where instances[index].isReady:
            rollout?.phase = .hotUpgrading
            actions.append(.hotUpgrade(index + 1, from: from, to: release))
        case .hotUpgrade:
            log(.warning, "Instance: \(index + 1) is not ready: full deployment instead")
            stopForPromotion(index, now: now)
        case .fullDeployment:
            stopForPromotion(index, now: now)
        }
    }

    private mutating func stagingFailed(
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
        retry = RetryState(release: release, failureCount: failures, notBefore: now + delay)
        log(.error, "\(reason); next attempt in \(Self.text(delay))")
    }

    // MARK: Full deployment

    private mutating func stopForPromotion(_ index: Int, now: MonotonicTime) {
        if let pid = instances[index].identity?.pid {
            log(.info, "Requested instance: \(index + 1) to stop application pid: \(pid)")
        } else {
            log(.info, "Requested instance: \(index + 1) to stop but application is not running.")
        }
        rollout?.phase = .stopping
        apply(instances[index].machine.stopRequested(now: now), to: index)
    }

    private mutating func promoted(_ index: Int, _ release: Release, now: MonotonicTime) {
        guard isRollout(index, release, in: .promoting) else { return }
        if instances[index].current == nil { log(.warning, "No previous version set") }
        instances[index].previous = instances[index].current
        instances[index].current = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        awaitReady(now: now)
        guard !isShuttingDown else { return }
        startProcess(index, now: now)
    }

    private mutating func promotionFailed(
        _ index: Int, _ release: Release, _ reason: String, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .promoting) else { return }
        rollout = nil
        giveUpForNow(release, reason, now: now)
        guard !isShuttingDown, instances[index].current != nil else { return }
        startProcess(index, now: now)
    }

    // MARK: Hot upgrade

    private mutating func hotUpgraded(_ index: Int, _ release: Release, now: MonotonicTime) {
        guard isRollout(index, release, in: .hotUpgrading) else { return }
        let from = instances[index].current
        instances[index].previous = from
        instances[index].current = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        log(
            .info,
            "Release upgrade executed with success at instance: \(index + 1)"
                + " from: \(from?.version ?? "none") to: \(release.version)")
        awaitReady(now: now)
        // Ready means: seen so since the upgrade.
        instances[index].isReady = false
        instances[index].probeSoon(now: now)
    }

    private mutating func hotUpgradeFailed(
        _ index: Int, _ release: Release, _ reason: String, now: MonotonicTime
    ) {
        guard isRollout(index, release, in: .hotUpgrading) else { return }
        log(
            .error,
            "Hot upgrade failed at instance: \(index + 1), running full deployment: \(reason)")
        guard !isShuttingDown else {
            rollout = nil
            return
        }
        stopForPromotion(index, now: now)
    }

    // MARK: Awaiting

    private mutating func awaitReady(now: MonotonicTime) {
        let deadline = now + timings.readyTimeout
        rollout?.phase = .awaitingReady(deadline: deadline)
    }

    private mutating func advanceRollout(now: MonotonicTime) {
        guard let current = rollout else { return }
        let instance = instances[current.instance]
        switch current.phase {
        case .staging, .promoting, .hotUpgrading:
            break
        case .stopping:
            guard instance.machine.status == .idle else { return }
            rollout?.phase = .promoting
            actions.append(.promote(instance.number, current.release))
        case .awaitingReady(let deadline):
            if instance.isReady {
                rollout = nil
            } else if catalog.target != current.release {
                // A newer release may mend what keeps this one from becoming ready.
                rollout = nil
            } else if deadline <= now {
                log(
                    .error,
                    "Instance: \(instance.number) version: \(current.release.version) is not ready "
                        + "after \(Self.text(timings.readyTimeout)): the version is not deployed "
                        + "any further")
                heldBack = current.release
                rollout = nil
            }
        }
    }

    // MARK: Processes

    private mutating func startProcess(_ index: Int, now: MonotonicTime) {
        log(
            .info,
            "Ensure running requested for instance: \(index + 1)"
                + " version: \(instances[index].current?.version ?? "none")")
        apply(instances[index].machine.startRequested(now: now), to: index)
    }

    private mutating func probed(
        _ index: Int, run: Int, _ readiness: Readiness, now: MonotonicTime
    ) {
        guard instances[index].run == run, instances[index].isProbed else { return }
        let reason: String
        switch readiness {
        case .ready:
            becameReady(index, now: now)
            return instances[index].endProbe(next: now + timings.livenessInterval)
        case .notReady(let text):
            instances[index].isConnected = true
            reason = text
        case .unreachable(let text):
            instances[index].isConnected = false
            reason = text
        }
        instances[index].endProbe(next: now + timings.readinessInterval)
        instances[index].failedProbes += 1
        // A node takes a moment to boot, and one that dies is told of as a crash: only what lasts
        // is worth a line of its own.
        let age = instances[index].machine.startedAt.map { now - $0 } ?? .zero
        guard age >= timings.slowStartNotice, instances[index].failedProbes > 2 else { return }
        if instances[index].notice(reason) {
            log(.error, "Instance: \(index + 1) does not answer as it should: \(reason)")
        }
    }

    private mutating func becameReady(_ index: Int, now: MonotonicTime) {
        instances[index].isConnected = true
        instances[index].failedProbes = 0
        guard !instances[index].isReady else { return }
        instances[index].isReady = true
        apply(instances[index].machine.becameReady(now: now), to: index)
    }

    /// Turns what an instance's machine wants into the engine's own actions.
    private mutating func apply(_ wanted: [InstanceMachine.Action], to index: Int) {
        let number = index + 1
        for action in wanted {
            switch action {
            case .spawn:
                instances[index].beginRun()
                actions.append(.spawn(number, run: instances[index].run))
            case .terminate:
                actions.append(.terminate(number))
            case .killSession:
                actions.append(.killSession(number))
            case .report(let report):
                tell(report, about: number)
            }
        }
    }

    private mutating func tell(_ report: InstanceMachine.Report, about number: Int) {
        switch report {
        case .started(let identity):
            log(
                .info,
                " # Running instance: \(number), monitoring OS process id = \(identity.pid).")
        case .ready:
            log(.info, "Application instance: \(number) is running")
        case .crashed(let exit, let count, let delay):
            log(
                .error,
                "Application instance: \(number) crashed (\(exit)), \(Self.times(count)); "
                    + "it is restarted in \(Self.text(delay))")
        case .cannotStart(let reason, let count, let delay):
            log(
                .error,
                "Application instance: \(number) cannot be started, \(Self.times(count)): "
                    + "\(reason); next attempt in \(Self.text(delay))")
        case .killed:
            log(
                .warning,
                "Application instance: \(number) did not stop within "
                    + "\(Self.text(timings.stopTimeout)) and is killed")
        case .stopped(let exit):
            guard let exit else { return }
            log(.warning, "Application instance: \(number) stopped: \(exit)")
        }
    }

    private static func times(_ count: Int) -> String {
        count == 1 ? "for the first time" : "\(count) times in a row"
    }

    // MARK: Shutting down

    private mutating func shutDown(now: MonotonicTime) {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        for index in instances.indices {
            apply(instances[index].machine.stopRequested(now: now), to: index)
        }
    }

    private mutating func finishIfStopped() {
        // Folders half-way through their exchange are left to nobody.
        let isPromoting = rollout?.phase == .promoting
        let areStopped = instances.allSatisfy { $0.machine.status == .idle }
        guard areStopped, !isPromoting, !isFinished else { return }
        isFinished = true
        actions.append(.finish)
    }

    // MARK: Small things

    private func isRollout(_ index: Int, _ release: Release, in phase: Rollout.Phase) -> Bool {
        rollout == Rollout(instance: index, release: release, phase: phase)
    }

    private mutating func log(_ level: LogLevel, _ text: String) {
        actions.append(.log(level, text))
    }

    /// "5 s"
    private static func text(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
