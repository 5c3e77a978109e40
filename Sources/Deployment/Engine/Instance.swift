internal import ErlDist
internal import Supervisor
internal import Transport

/// One instance: its process, the health of its node, the releases in its folders, and an
/// operator's wishes. It does no I/O and reads no clock: each event returns the actions that follow
/// from it.
struct Instance {
    enum Action: Equatable {
        /// An action for the deployer, passed on unchanged.
        case ask(EngineAction)
        /// It is ready: its release works.
        case becameReady
        /// Its new release crashes again and again.
        case failedTrial(reason: String)
        /// It has not responded `count` times in a row: only ``Order/killHung(count:)`` may mend
        /// that.
        case hung(count: Int)

        static func log(_ level: LogLevel, _ text: String) -> Action { .ask(.log(level, text)) }
    }

    /// What a rollout or an operator orders it to do.
    enum Order: Equatable {
        /// Run the deployed release.
        case start
        /// Run, but only with the release that it is yet to get.
        case awaitTarget
        /// End the process, and start none after it.
        case stop
        /// End the process at once.
        case kill
        /// Replace the running process by a new one.
        case restart
        /// Stop, and stay stopped until an operator starts it.
        case stayStopped
        /// Need not stay stopped any longer: an operator wants it to run.
        case release
        /// Take note that its folders now hold these releases.
        case hold(DeployedRelease, previous: DeployedRelease?)
        /// Forget the previous release: it cannot be reverted to.
        case forgetPrevious
        /// Put its release on trial: crashes until then count against it.
        case beginTrial(until: MonotonicTime)
        case endTrial
        /// Wait until the node is ready again: its release was changed in place.
        case awaitUpgraded
        /// Take note that an upgrade in place has left the node in an unknown state.
        case doubtNode
        /// Boot anew, because the node's state is unknown.
        case settleDoubt
        /// Kill the process, which does not respond, and start it again.
        case killHung(count: Int)
        /// Take note of what only a new process brings into effect after an upgrade in place.
        case awaitRestart(HotUpgrade.Remains)
    }

    /// An upgrade in place that an earlier deployex began in the node that still runs.
    struct InterruptedUpgrade: Equatable {
        var from: String
        var to: Release
    }

    /// A new release on trial: how often it has crashed, and until when that counts.
    private struct Trial {
        var until: MonotonicTime
        var crashCount = 0
    }

    let number: InstanceNumber
    private let configuration: EngineConfiguration
    private var process: InstanceMachine
    private(set) var health: NodeHealth
    private(set) var current: DeployedRelease?
    private(set) var previous: DeployedRelease?
    /// Whether it stays stopped until an operator starts it.
    private(set) var isStoppedByOperator: Bool
    /// Whether it does not run and waits for another release than the one in its folder.
    private(set) var isAwaitingTarget = false
    private(set) var interrupted: InterruptedUpgrade?
    private var trial: Trial?
    /// When it was killed because it did not respond, if it has not been ready since.
    private(set) var killedAsHungAt: MonotonicTime?
    /// What only a new process brings into effect.
    private var pendingRestart = PendingRestart()
    /// Why the last process ended unasked, or could not be started.
    private var endReason: String?
    /// The note that is on disk.
    private var noted: InstanceNote

    private var timings: EngineConfiguration.Timings { configuration.timings }
}

// MARK: What it is

extension Instance {
    var status: InstanceMachine.Status { process.status }
    /// The process that runs or is ending.
    var identity: ProcessIdentity? { process.identity }
    var consecutiveCrashes: Int { process.consecutiveCrashes }
    var isReady: Bool { health.isReady }

    /// Whether its process runs and is to go on. Only then does the health of its node matter.
    var isUp: Bool {
        switch process.status {
        case .starting, .running: identity != nil
        case .idle, .stopping, .backoff, .failed: false
        }
    }

    /// When to come back with ``timePassed(now:)`` at the latest.
    var nextDeadline: MonotonicTime? {
        let deadlines = [isUp ? health.probeDeadline : nil, process.nextDeadline]
        return deadlines.compactMap { $0 }.min()
    }

    var snapshot: InstanceSnapshot {
        InstanceSnapshot(
            number: number, status: shownStatus, current: current, previous: previous,
            usesDistribution: configuration.readiness.usesDistribution,
            isConnected: health.isConnected, isStoppedByOperator: isStoppedByOperator,
            reason: reason, pendingRestart: isUp ? pendingRestart.text : nil, identity: identity,
            startedAt: process.startedAt,
            crashRestarts: process.restarts.crash, forcedRestarts: process.restarts.forced)
    }

    private var shownStatus: InstanceStatus {
        switch process.status {
        case .idle: .idle
        case .starting: isUp && health.isSilent ? .unresponsive : .starting
        case .running: health.isSilent ? .unresponsive : .running
        case .stopping: .stopping
        case .backoff: .backoff
        case .failed: .failed
        }
    }

    private var reason: String? {
        switch process.status {
        case .starting, .running: isUp ? health.reason : nil
        case .backoff, .failed: endReason
        case .idle, .stopping: nil
        }
    }

    /// The note to write, if it is not on disk yet.
    mutating func takeNote() -> InstanceNote? {
        let note = InstanceNote(
            restarts: process.restarts, isStoppedByOperator: isStoppedByOperator,
            creation: health.creation, pendingRestart: pendingRestart)
        guard note != noted else { return nil }
        noted = note
        return note
    }
}

// MARK: What an earlier deployex left

extension Instance {
    /// Takes over the process if it runs, and starts the deployed release if not.
    /// - Parameter isStale: other instances run another release than the one in its folder. Then it
    ///   waits for theirs.
    static func begin(
        _ number: InstanceNumber, _ found: DeploymentEngine.Found,
        _ configuration: EngineConfiguration, isStale: Bool, now: MonotonicTime
    ) -> (Instance, [Action]) {
        var instance = Instance(
            number: number, configuration: configuration,
            process: InstanceMachine(
                stopTimeout: configuration.timings.stopTimeout, restarts: found.note.restarts),
            health: NodeHealth(creation: found.note.creation), current: found.current,
            previous: found.previous, isStoppedByOperator: found.note.isStoppedByOperator,
            noted: found.note)
        let actions = instance.takeOver(found, isStale: isStale, now: now)
        return (
            instance, [.log(.info, "Initialising monitor server for instance: \(number)")] + actions
        )
    }

    private mutating func takeOver(
        _ found: DeploymentEngine.Found, isStale: Bool, now: MonotonicTime
    ) -> [Action] {
        switch found.process {
        case .none:
            return startUnlessStopped(isStale: isStale, now: now)
        case .ended:
            process.endedUnseen()
            return [
                .log(
                    .error,
                    "Application instance: \(number) ended while deployex was not running; it is "
                        + "started again")
            ] + startUnlessStopped(now: now)
        case .running(let identity, let since, let isStopping):
            health.adopted(now: now)
            _ = process.adopted(identity, since: since, now: now)
            scheduleFirstProbe(now: now)
            let version = current?.version ?? "unknown"
            let adopted = Action.log(
                .info,
                "Adopted instance: \(number), monitoring OS process id = \(identity.pid), version: "
                    + version)
            pendingRestart = found.note.pendingRestart
            if isStopping { return [adopted] + goOnStopping(now: now) }
            if let to = found.interruptedUpgrade, let from = current?.version {
                interrupted = InterruptedUpgrade(from: from, to: to)
            }
            return [adopted]
        }
    }

    /// Goes on with a restart or a deployment that an earlier deployex had begun.
    private mutating func goOnStopping(now: MonotonicTime) -> [Action] {
        var actions = perform(process.stopRequested(now: now))
        if !isStoppedByOperator, current != nil {
            actions += perform(process.startRequested(now: now))
        }
        return [.log(.info, "Instance: \(number) was being stopped: that goes on")] + actions
    }

    /// - Parameter isStale: other instances run another release than the one in its folder.
    private mutating func startUnlessStopped(
        isStale: Bool = false, now: MonotonicTime
    ) -> [Action] {
        guard current != nil else {
            return [.log(.info, "No version set, not able to run_service")]
        }
        guard !isStoppedByOperator else {
            let text = "Instance: \(number) stays stopped: `deployex start \(number)` starts it"
            return [.log(.info, text)]
        }
        return perform(isStale ? .awaitTarget : .start, now: now)
    }

    /// The upgrade to settle with the node, returned once. If the process has ended meanwhile there
    /// is nothing to settle: the next one boots the release on disk.
    mutating func takeInterrupted() -> InterruptedUpgrade? {
        let taken = interrupted.take()
        return isUp ? taken : nil
    }
}

// MARK: What is asked for

extension Instance {
    mutating func perform(_ order: Order, now: MonotonicTime) -> [Action] {
        switch order {
        case .awaitTarget:
            isAwaitingTarget = true
            return [.log(.info, "Instance: \(number) is started when its new version is deployed")]
        case .start:
            isAwaitingTarget = false
            let version = current?.version ?? "none"
            return [
                .log(
                    .info, "Ensure running requested for instance: \(number) version: \(version)")
            ] + perform(process.startRequested(now: now))
        case .stop: return perform(process.stopRequested(now: now))
        case .kill: return perform(process.killRequested(now: now))
        case .restart:
            isAwaitingTarget = false
            return perform(process.restartRequested(now: now))
        case .stayStopped:
            (isStoppedByOperator, isAwaitingTarget) = (true, false)
            trial = nil
            return perform(process.stopRequested(now: now))
        case .release: isStoppedByOperator = false
        case .hold(let release, let before): (current, previous) = (release, before)
        case .forgetPrevious: previous = nil
        case .beginTrial(let until): trial = Trial(until: until)
        case .endTrial: trial = nil
        case .awaitUpgraded: health.upgradedInPlace(now: now)
        case .doubtNode: health.doubt()
        case .settleDoubt:
            health.settleDoubt()
            return perform(process.restartRequested(now: now))
        case .killHung(let count):
            killedAsHungAt = now
            let text =
                "Application instance: \(number) has not responded \(count) times in a row: it is "
                + "killed and started again"
            return [.log(.error, text)] + perform(process.hung(now: now))
                + countCrash("it did not respond", now: now)
        case .awaitRestart(let remains): pendingRestart = remains.added(to: pendingRestart)
        }
        return []
    }
}

// MARK: What happened

extension Instance {
    mutating func timePassed(now: MonotonicTime) -> [Action] {
        perform(process.timePassed(now: now))
    }

    mutating func spawned(_ identity: ProcessIdentity, now: MonotonicTime) -> [Action] {
        let actions = perform(process.spawned(identity, now: now))
        scheduleFirstProbe(now: now)
        return actions
    }

    /// The host could not start it, for example for lack of disk space. This counts as a crash only
    /// if the cause is in the release itself, because that does not mend itself.
    mutating func spawnFailed(
        reason: String, isOfRelease: Bool, now: MonotonicTime
    ) -> [Action] {
        endReason = reason
        let actions = perform(process.spawnFailed(reason: reason, now: now))
        guard isOfRelease, let trial, now < trial.until, let version = current?.version else {
            return actions
        }
        let text = "version \(version) cannot be started: \(reason)"
        return actions + [.failedTrial(reason: text)]
    }

    mutating func exited(_ exit: ProcessExit, now: MonotonicTime) -> [Action] {
        let before = process.restarts.crash
        health.endRun()
        (pendingRestart, endReason) = (PendingRestart(), "its process ended: \(exit)")
        let actions = perform(process.exited(exit, now: now))
        guard process.restarts.crash > before else { return actions }
        return actions + countCrash("the last time: \(exit)", now: now)
    }

    mutating func sessionEnded(now: MonotonicTime) -> [Action] {
        perform(process.sessionEnded(now: now))
    }

    /// Takes the release that is about to boot, which may not be the known one.
    mutating func boots(_ release: DeployedRelease?) -> [Action] {
        guard current != release else { return [] }
        let known = current?.version ?? "none"
        current = release
        guard let release else {
            // Its package brings it back, like any release that an instance does not have.
            let text = "Instance: \(number) has lost version \(known) on disk: it is deployed anew"
            return [.log(.error, text)]
        }
        return [
            .log(.warning, "Instance: \(number) boots version \(release.version), not \(known)")
        ]
    }

    mutating func connected(creation: UInt32, now: MonotonicTime) -> [Action] {
        guard isUp, health.connected(creation: creation, now: now) else { return [] }
        return perform(process.rebootedInPlace(now: now))
            + countCrash("it rebooted by itself", now: now)
    }

    mutating func disconnected(now: MonotonicTime) {
        health.disconnected()
        if configuration.readiness.usesDistribution { health.probeSoon(now: now) }
    }

    // MARK: Probes

    /// The probe that is due, if one is.
    mutating func probeIfDue(now: MonotonicTime) -> [Action] {
        guard isUp, let kind = health.beginProbeIfDue(now: now) else { return [] }
        return [.ask(.probe(number, run: health.run, kind))]
    }

    mutating func probed(
        _ result: ProbeResult, run: Int, isBeingChanged: Bool, now: MonotonicTime
    ) -> [Action] {
        guard health.run == run, isUp else { return [] }
        let news = health.probed(
            result, age: process.startedAt.map { now - $0 } ?? .zero,
            isBeingChanged: isBeingChanged, configuration: configuration, now: now)
        return news.flatMap { learned($0, now: now) }
    }

    private mutating func learned(_ news: NodeHealth.News, now: MonotonicTime) -> [Action] {
        switch news {
        case .respondsAgain:
            return [.log(.info, "Instance: \(number) responds again")]
        case .becameReady:
            killedAsHungAt = nil
            return perform(process.becameReady(now: now)) + [.becameReady]
        case .doesNotRespond(let text):
            return [.log(.warning, "Instance: \(number) does not respond: \(text)")]
        case .doesNotAnswerWell(let reason):
            return [.log(.error, "Instance: \(number) does not answer as it should: \(reason)")]
        case .hung(let count):
            return [.hung(count: count)]
        }
    }

    /// Without distribution, alive for the set time is ready.
    private mutating func scheduleFirstProbe(now: MonotonicTime) {
        let criteria = configuration.readiness
        guard !criteria.usesDistribution else { return health.probeSoon(now: now) }
        health.probe(at: (process.startedAt ?? now) + criteria.aliveFor)
    }

    /// Counts one more crash, perhaps of a new release.
    private mutating func countCrash(_ reason: String, now: MonotonicTime) -> [Action] {
        guard var counted = trial.take(), now < counted.until else { return [] }
        counted.crashCount += 1
        trial = counted
        guard counted.crashCount > timings.maximumCrashes, let version = current?.version else {
            return []
        }
        let text = "version \(version) crashed \(counted.crashCount) times, \(reason)"
        return [.failedTrial(reason: text)]
    }
}

// MARK: What its process wants

extension Instance {
    private mutating func perform(_ wanted: [InstanceMachine.Action]) -> [Action] {
        wanted.compactMap { action in
            switch action {
            case .spawn:
                health.beginRun()
                return .ask(.spawn(number, run: health.run))
            case .terminate: return .ask(.terminate(number))
            case .killSession: return .ask(.killSession(number))
            case .report(let report): return line(about: report)
            }
        }
    }

    private func line(about report: InstanceMachine.Report) -> Action? {
        let name = "Application instance: \(number)"
        return switch report {
        case .started(let identity):
            .log(
                .info,
                " # Running instance: \(number), monitoring OS process id = \(identity.pid).")
        case .ready: .log(.info, "\(name) is running")
        case .crashed(let exit, let count, let delay):
            .ask(
                .logCrash(
                    number,
                    "\(name) crashed (\(exit)), \(Self.times(count)); it is restarted in "
                        + delay.inSecondsText))
        case .rebooted(let count):
            .log(.error, "\(name) rebooted by itself in the same process, \(Self.times(count))")
        case .cannotStart(let reason, let count, let delay):
            .log(
                .error,
                "\(name) cannot be started, \(Self.times(count)): \(reason); next attempt in "
                    + delay.inSecondsText)
        case .killed:
            .log(
                .warning,
                "\(name) did not stop within \(timings.stopTimeout.inSecondsText) and is killed")
        case .stopped(let exit): exit.map { .log(.warning, "\(name) stopped: \($0)") }
        }
    }

    private static func times(_ count: Int) -> String {
        count == 1 ? "for the first time" : "\(count) times in a row"
    }
}

extension Duration {
    /// "5 s"
    var inSecondsText: String {
        let seconds = inSeconds
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
