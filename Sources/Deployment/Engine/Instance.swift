internal import ErlDist
internal import Supervisor
internal import Transport

/// One instance: its process, how its node is, the releases in its folders, and what an operator wants
/// of it. It does no I/O and reads no clock: each event returns what is to be done because of it.
struct Instance {
    enum Action: Equatable {
        /// For the deployer, as it is.
        case ask(EngineAction)
        /// It is ready: what it runs works.
        case becameReady
        /// The new release that it runs crashes again and again.
        case failedTrial(reason: String)
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

    let number: Int
    private let configuration: EngineConfiguration
    private var process: InstanceMachine
    private(set) var health: NodeHealth
    private(set) var current: DeployedRelease?
    private(set) var previous: DeployedRelease?
    /// It is to stay stopped until an operator starts it.
    private(set) var isStoppedByOperator: Bool
    private(set) var interrupted: InterruptedUpgrade?
    private var trial: Trial?
    /// What is on disk.
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

    /// Whether its process runs and is to go on: only then is it of interest how the node is.
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
            number: number, status: process.status, current: current, previous: previous,
            isConnected: health.isConnected, isStoppedByOperator: isStoppedByOperator,
            isResponding: health.isResponding, identity: identity, startedAt: process.startedAt,
            crashRestarts: process.restarts.crash, forcedRestarts: process.restarts.forced)
    }

    private func age(at now: MonotonicTime) -> Duration {
        process.startedAt.map { now - $0 } ?? .zero
    }

    /// What has to be written down, if it is not on disk yet.
    mutating func takeNote() -> InstanceNote? {
        let note = InstanceNote(
            restarts: process.restarts, isStoppedByOperator: isStoppedByOperator,
            creation: health.creation)
        guard note != noted else { return nil }
        noted = note
        return note
    }
}

// MARK: What an earlier deployex left

extension Instance {
    /// Takes over what runs, and starts what is deployed and does not run.
    static func begin(
        _ number: Int, _ found: DeploymentEngine.Found, _ configuration: EngineConfiguration,
        now: MonotonicTime
    ) -> (Instance, [Action]) {
        var instance = Instance(
            number: number, configuration: configuration,
            process: InstanceMachine(
                configuration: .init(stopTimeout: configuration.timings.stopTimeout),
                restarts: found.note.restarts),
            health: NodeHealth(creation: found.note.creation), current: found.current,
            previous: found.previous, isStoppedByOperator: found.note.isStoppedByOperator,
            noted: found.note)
        let told = log(.info, "Initialising monitor server for instance: \(number)")
        let actions = instance.goOn(with: found, now: now)
        return (instance, [told] + actions)
    }

    private mutating func goOn(
        with found: DeploymentEngine.Found, now: MonotonicTime
    ) -> [Action] {
        switch found.process {
        case .running(let identity, let since, let isStopping):
            let adopted = adopt(identity, since: since, now: now)
            guard isStopping else {
                if let to = found.interruptedUpgrade, let from = current?.version {
                    interrupted = InterruptedUpgrade(from: from, to: to)
                }
                return adopted
            }
            // A restart, or a deployment, that the earlier deployex had begun.
            let told = Self.log(.info, "Instance: \(number) was being stopped: that goes on")
            let stopped = perform(process.stopRequested(now: now))
            guard !isStoppedByOperator, current != nil else { return adopted + [told] + stopped }
            return adopted + [told] + stopped + perform(process.startRequested(now: now))
        case .ended:
            process.endedUnseen()
            let told = Self.log(
                .error,
                "Application instance: \(number) ended while deployex was not running; it is "
                    + "started again")
            return [told] + startUnlessStopped(now: now)
        case .none:
            return startUnlessStopped(now: now)
        }
    }

    private mutating func adopt(
        _ identity: ProcessIdentity, since: MonotonicTime, now: MonotonicTime
    ) -> [Action] {
        let told = Self.log(
            .info,
            "Adopted instance: \(number), monitoring OS process id = \(identity.pid), version: "
                + (current?.version ?? "unknown"))
        health.adopted(now: now)
        let actions = perform(process.adopted(identity, since: since, now: now))
        scheduleFirstProbe(now: now)
        return [told] + actions
    }

    private mutating func startUnlessStopped(now: MonotonicTime) -> [Action] {
        guard current != nil else {
            return [Self.log(.info, "No version set, not able to run_service")]
        }
        guard !isStoppedByOperator else {
            return [
                Self.log(
                    .info,
                    "Instance: \(number) stays stopped: `deployex start \(number)` starts it")
            ]
        }
        return start(now: now)
    }

    /// The upgrade to settle with the node, once. A process that has ended meanwhile boots what is on
    /// disk: there is nothing to settle.
    mutating func takeInterrupted() -> InterruptedUpgrade? {
        let taken = interrupted.take()
        return isUp ? taken : nil
    }
}

// MARK: What is asked for

extension Instance {
    /// What is deployed is to run.
    mutating func start(now: MonotonicTime) -> [Action] {
        let told = Self.log(
            .info,
            "Ensure running requested for instance: \(number) version: "
                + (current?.version ?? "none"))
        return [told] + perform(process.startRequested(now: now))
    }

    /// The process is to end, and none to be started after it.
    mutating func stop(now: MonotonicTime) -> [Action] {
        perform(process.stopRequested(now: now))
    }

    /// A new process is to come in the place of the one that runs.
    mutating func restart(now: MonotonicTime) -> [Action] {
        perform(process.restartRequested(now: now))
    }

    /// An operator wants it to run again.
    mutating func release() {
        isStoppedByOperator = false
    }

    /// An operator wants it to stop, and to stay stopped.
    mutating func stopAndStay(now: MonotonicTime) -> [Action] {
        isStoppedByOperator = true
        trial = nil
        return stop(now: now)
    }

    /// Its folders hold other releases now.
    mutating func stands(_ release: DeployedRelease, previous: DeployedRelease?) {
        current = release
        self.previous = previous
    }

    /// What was to be gone back to cannot be.
    mutating func forgetPrevious() {
        previous = nil
    }

    /// What is about to boot is another release than was known.
    mutating func boots(_ release: DeployedRelease) -> [Action] {
        guard current != release else { return [] }
        let known = current?.version ?? "none"
        current = release
        return [
            Self.log(
                .warning, "Instance: \(number) boots version \(release.version), not \(known)")
        ]
    }

    /// What it runs is on trial: crashes until then speak against it.
    mutating func beginTrial(until: MonotonicTime) {
        trial = Trial(until: until)
    }

    mutating func endTrial() {
        trial = nil
    }

    /// The node's release was changed in place.
    mutating func upgradedInPlace(now: MonotonicTime) {
        health.upgradedInPlace(now: now)
    }

    /// An upgrade in place has left the node in a state that nobody knows.
    mutating func doubt() {
        health.doubt()
    }

    /// Boots anew what is in doubt.
    mutating func settleDoubt(now: MonotonicTime) -> [Action] {
        health.settleDoubt()
        return restart(now: now)
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

    /// The host could not start it, such as for want of disk space: no crash of what is to run.
    mutating func spawnFailed(reason: String, now: MonotonicTime) -> [Action] {
        perform(process.spawnFailed(reason: reason, now: now))
    }

    mutating func exited(
        _ exit: ProcessExit, isBeingChanged: Bool, now: MonotonicTime
    ) -> [Action] {
        let before = process.restarts.crash
        health.endRun()
        let actions = perform(process.exited(exit, now: now))
        guard process.restarts.crash > before else { return actions }
        return actions
            + countCrash("the last time: \(exit)", isBeingChanged: isBeingChanged, now: now)
    }

    mutating func sessionEnded(now: MonotonicTime) -> [Action] {
        perform(process.sessionEnded(now: now))
    }

    mutating func connected(
        creation: UInt32, isBeingChanged: Bool, now: MonotonicTime
    ) -> [Action] {
        guard isUp, health.connected(creation: creation, now: now) else { return [] }
        return perform(process.rebootedInPlace(now: now))
            + countCrash("it rebooted by itself", isBeingChanged: isBeingChanged, now: now)
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
            result, age: age(at: now), isBeingChanged: isBeingChanged,
            configuration: configuration, now: now)
        return news.flatMap { learned($0, now: now) }
    }

    private mutating func learned(_ news: NodeHealth.News, now: MonotonicTime) -> [Action] {
        switch news {
        case .respondsAgain:
            return [Self.log(.info, "Instance: \(number) responds again")]
        case .becameReady:
            return perform(process.becameReady(now: now)) + [.becameReady]
        case .doesNotRespond(let text):
            return [Self.log(.warning, "Instance: \(number) does not respond: \(text)")]
        case .doesNotAnswerWell(let reason):
            return [
                Self.log(.error, "Instance: \(number) does not answer as it should: \(reason)")
            ]
        case .hung(let count):
            let told = Self.log(
                .error,
                "Application instance: \(number) has not responded \(count) times in a row: it is "
                    + "killed and started again")
            return [told] + perform(process.hung(now: now))
                + countCrash("it did not respond", isBeingChanged: false, now: now)
        }
    }

    /// Without distribution, alive for the set time is ready.
    private mutating func scheduleFirstProbe(now: MonotonicTime) {
        let criteria = configuration.readiness
        guard !criteria.usesDistribution else { return health.probeSoon(now: now) }
        health.probe(at: (process.startedAt ?? now) + criteria.aliveFor)
    }

    /// One more crash of what may be a new release. While the node is upgraded it is only counted: the
    /// upgrade's own end tells what became of it.
    private mutating func countCrash(
        _ reason: String, isBeingChanged: Bool, now: MonotonicTime
    ) -> [Action] {
        guard var counted = trial.take(), now < counted.until else { return [] }
        counted.crashCount += 1
        trial = counted
        guard !isBeingChanged, counted.crashCount > timings.maximumCrashes,
            let version = current?.version
        else { return [] }
        return [
            .failedTrial(
                reason: "version \(version) crashed \(counted.crashCount) times, \(reason)")
        ]
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
        switch report {
        case .started(let identity):
            Self.log(
                .info,
                " # Running instance: \(number), monitoring OS process id = \(identity.pid).")
        case .ready:
            Self.log(.info, "Application instance: \(number) is running")
        case .crashed(let exit, let count, let delay):
            Self.log(
                .error,
                "Application instance: \(number) crashed (\(exit)), \(Self.times(count)); "
                    + "it is restarted in \(delay.inSecondsText)")
        case .rebooted(let count):
            Self.log(
                .error,
                "Application instance: \(number) rebooted by itself in the same process, "
                    + Self.times(count))
        case .cannotStart(let reason, let count, let delay):
            Self.log(
                .error,
                "Application instance: \(number) cannot be started, \(Self.times(count)): "
                    + "\(reason); next attempt in \(delay.inSecondsText)")
        case .killed:
            Self.log(
                .warning,
                "Application instance: \(number) did not stop within "
                    + "\(timings.stopTimeout.inSecondsText) and is killed")
        case .stopped(let exit):
            exit.map {
                Self.log(.warning, "Application instance: \(number) stopped: \($0)")
            }
        }
    }

    private static func log(_ level: LogLevel, _ text: String) -> Action {
        .ask(.log(level, text))
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
