internal import ErlDist
package import Supervisor
package import Transport

/// Decides everything about the instances of one application: what to deploy where and when, and
/// when a process is started, stopped and probed. It does no I/O and reads no clock.
///
/// The deployer tells it what happened with ``handle(_:now:)``, carries out the actions that come
/// back, and returns at ``nextDeadline`` with ``EngineEvent/timePassed``.
///
/// What is to run is one release, the target: what an operator or else the catalog names, and the last
/// good release when that one is ghosted. A rollout changes one instance at a time, those that are not
/// ready first, and goes on when the one changed is ready. It never takes the last ready instance down
/// while another is on its way. A release that does not become ready in time, or crashes again and
/// again while it is new, is ghosted: so another release is the target, and the same rollout brings it
/// back.
package struct DeploymentEngine {
    let configuration: EngineConfiguration
    var timings: EngineConfiguration.Timings { configuration.timings }
    var catalog: CatalogWatch
    var record: ApplicationRecord
    private var savedRecord: ApplicationRecord
    var instances: [EngineInstance]
    var rollout: Rollout?
    var retry: RetryState?
    var isShuttingDown = false
    private var isFinished = false
    var actions: [EngineAction] = []
    private let origin: MonotonicTime
    /// Seconds since 1970 at `origin`.
    private let originSeconds: Int64
    /// Interrupted hot upgrades to settle before anything else is rolled out.
    private var interrupted: [Interrupted] = []
    var hasInterrupted: Bool { !interrupted.isEmpty }

    private struct Interrupted {
        var instance: Int
        var from: String
        var to: Release
    }

    /// What there is of an instance when the engine starts.
    package struct Found: Equatable, Sendable {
        package var current: DeployedRelease?
        package var previous: DeployedRelease?
        package var note = InstanceNote()
        package var process = FoundProcess.none
        /// The release to which its running node was being upgraded in place.
        package var interruptedUpgrade: Release?

        package init(current: DeployedRelease? = nil, previous: DeployedRelease? = nil) {
            self.current = current
            self.previous = previous
        }
    }

    /// What has become of the process that an earlier deployex started.
    package enum FoundProcess: Equatable, Sendable {
        case none
        /// It runs, since `since`. With `isStopping` the decision to stop it is on record.
        case running(ProcessIdentity, since: MonotonicTime, isStopping: Bool)
        /// It ended while no deployex ran, and nobody had decided that.
        case ended
    }

    /// Takes over what runs, and starts what is deployed and does not run.
    /// - Parameters:
    ///   - found: one element for each instance, in order.
    ///   - seconds: the time of day at `now`, in seconds since 1970.
    /// - Returns: the engine, and what is to be done first.
    package static func begin(
        configuration: EngineConfiguration, record: ApplicationRecord = ApplicationRecord(),
        found: [Found], now: MonotonicTime, seconds: Int64 = 0
    ) -> (DeploymentEngine, [EngineAction]) {
        var engine = DeploymentEngine(
            configuration: configuration, record: record, found: found, now: now, seconds: seconds)
        let actions = engine.start(found, now: now)
        return (engine, actions)
    }

    private init(
        configuration: EngineConfiguration, record: ApplicationRecord,
        found: [Found], now: MonotonicTime, seconds: Int64
    ) {
        precondition(found.count == configuration.replicas, "One element for each instance")
        self.configuration = configuration
        self.record = record
        savedRecord = record
        origin = now
        originSeconds = seconds
        catalog = CatalogWatch(interval: configuration.timings.pollInterval, now: now)
        instances = found.enumerated().map { index, found in
            EngineInstance(
                number: index + 1,
                machine: InstanceMachine(
                    configuration: .init(stopTimeout: configuration.timings.stopTimeout),
                    restarts: found.note.restarts),
                found: found)
        }
    }

    private mutating func start(_ found: [Found], now: MonotonicTime) -> [EngineAction] {
        log(.info, "Initialising deployment server")
        for (index, found) in found.enumerated() {
            log(.info, "Initialising monitor server for instance: \(index + 1)")
            begin(index, found, now: now)
        }
        resumeTrial(now: now)
        return settle(now: now)
    }

    private mutating func begin(_ index: Int, _ found: Found, now: MonotonicTime) {
        switch found.process {
        case .running(let identity, let since, let isStopping):
            adopt(index, identity, since: since, now: now)
            if isStopping {
                // A restart, or a deployment, that the earlier deployex had begun.
                log(.info, "Instance: \(index + 1) was being stopped: that goes on")
                apply(instances[index].machine.stopRequested(now: now), to: index)
                if !instances[index].isStoppedByOperator, found.current != nil {
                    apply(instances[index].machine.startRequested(now: now), to: index)
                }
            } else if let to = found.interruptedUpgrade, let from = found.current {
                interrupted.append(
                    Interrupted(instance: index, from: from.version, to: to))
            }
        case .ended:
            instances[index].machine.endedUnseen()
            log(
                .error,
                "Application instance: \(index + 1) ended while deployex was not running; "
                    + "it is started again")
            startUnlessStopped(index, now: now)
        case .none:
            startUnlessStopped(index, now: now)
        }
    }

    private mutating func startUnlessStopped(_ index: Int, now: MonotonicTime) {
        if instances[index].current == nil {
            log(.info, "No version set, not able to run_service")
        } else if instances[index].isStoppedByOperator {
            log(
                .info,
                "Instance: \(index + 1) stays stopped: `deployex start \(index + 1)` starts it")
        } else {
            startProcess(index, now: now)
        }
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
        case .commanded(let id, let command):
            let result = perform(command, now: now)
            actions.append(.reply(id, result))
        case .staged(let number, let release, let decision):
            staged(number - 1, release, decision, now: now)
        case .stagingFailed(let number, let release, let reason):
            stagingFailed(number - 1, release, reason, now: now)
        case .preCommandsDone(let number, let release):
            preCommandsDone(number - 1, release, now: now)
        case .preCommandsFailed(let number, let release, let reason):
            preCommandsFailed(number - 1, release, reason, now: now)
        case .promoted(let number, let release):
            promoted(number - 1, release, now: now)
        case .promotionFailed(let number, let release, let reason):
            promotionFailed(number - 1, release, reason, now: now)
        case .hotUpgraded(let number, let release):
            hotUpgraded(number - 1, release, now: now)
        case .hotUpgradeFailed(let number, let release, let reason, let isUntouched):
            hotUpgradeFailed(number - 1, release, reason, nodeIsUntouched: isUntouched, now: now)
        case .reverted(let number, let release):
            reverted(number - 1, release, now: now)
        case .reversionFailed(let number, let reason):
            reversionFailed(number - 1, reason, now: now)
        case .logTailRead(let number, let id, let lines):
            logTailRead(number, id, lines)
        case .stands(let number, let release):
            stands(number - 1, release)
        case .spawned(let number, let identity):
            apply(instances[number - 1].machine.spawned(identity, now: now), to: number - 1)
            processBegan(number - 1, now: now)
        case .spawnFailed(let number, let reason):
            // No crash of what is to run: the host could not start it, such as for want of disk space.
            apply(
                instances[number - 1].machine.spawnFailed(reason: reason, now: now), to: number - 1)
        case .exited(let number, let status):
            exited(number - 1, status, now: now)
        case .sessionEnded(let number):
            apply(instances[number - 1].machine.sessionEnded(now: now), to: number - 1)
        case .probed(let number, let run, let readiness):
            probed(number - 1, run: run, readiness, now: now)
        case .connected(let number, let creation):
            connected(number - 1, creation: creation, now: now)
        case .disconnected(let number):
            disconnected(number - 1, now: now)
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
            if rollout == nil, let retry, !retry.isDue { deadlines.append(retry.notBefore) }
        }
        if case .awaitingReady(let deadline)? = rollout?.phase { deadlines.append(deadline) }
        return deadlines.min()
    }

    package var snapshot: ApplicationSnapshot {
        ApplicationSnapshot(
            application: configuration.application, targetVersion: target?.version,
            pinnedVersion: record.pinned?.version, ghosted: record.ghosted,
            history: record.history, problem: retry?.reason ?? catalog.lastFailure,
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
            if let notBefore = retry?.notBefore, notBefore <= now { retry?.isDue = true }
            advanceRollout(now: now)
            restartDoubtful(now: now)
            resumeInterrupted(now: now)
            beginRolloutIfNeeded(now: now)
            for index in instances.indices { probeIfDue(index, now: now) }
        }
        for index in instances.indices {
            if let note = instances[index].takeNote() { actions.append(.note(index + 1, note)) }
        }
        // First: what is decided is on record before anything is done because of it.
        if record != savedRecord {
            savedRecord = record
            actions.insert(.save(record), at: 0)
        }
        defer { actions = [] }
        return actions
    }

    private mutating func resumeInterrupted(now: MonotonicTime) {
        guard rollout == nil, !interrupted.isEmpty else { return }
        let next = interrupted.removeFirst()
        // A process that has ended meanwhile boots what is on disk.
        guard instances[next.instance].isProbed else {
            return resumeInterrupted(now: now)
        }
        log(
            .warning,
            "The hot upgrade of instance: \(next.instance + 1) from: \(next.from) to: "
                + "\(next.to.version) was interrupted: asking the node what it runs")
        rollout = Rollout(
            instance: next.instance, release: next.to, phase: .hotUpgrading, kind: .hotUpgrade,
            begin: now, isResumed: true)
        actions.append(.resumeHotUpgrade(next.instance + 1, from: next.from, to: next.to))
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
        let isMoving = rollout?.phase == .promoting || rollout?.phase == .reverting
        let areStopped = instances.allSatisfy { $0.machine.status == .idle }
        guard areStopped, !isMoving, !isFinished else { return }
        isFinished = true
        actions.append(.finish)
    }

    // MARK: Small things

    /// Seconds since 1970.
    func seconds(at now: MonotonicTime) -> Int64 {
        originSeconds + (now - origin).components.seconds
    }

    mutating func log(_ level: LogLevel, _ text: String) {
        actions.append(.log(level, text))
    }

    /// "5 s"
    static func text(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
