internal import ErlDist
internal import Supervisor
internal import Transport

// The processes of the instances, and how their nodes are.

extension DeploymentEngine {
    mutating func startProcess(_ index: Int, now: MonotonicTime) {
        log(
            .info,
            "Ensure running requested for instance: \(index + 1)"
                + " version: \(instances[index].current?.version ?? "none")")
        apply(instances[index].machine.startRequested(now: now), to: index)
    }

    mutating func adopt(
        _ index: Int, _ identity: ProcessIdentity, since: MonotonicTime, now: MonotonicTime
    ) {
        log(
            .info,
            "Adopted instance: \(index + 1), monitoring OS process id = \(identity.pid), "
                + "version: \(instances[index].current?.version ?? "unknown")")
        instances[index].adopted(now: now)
        apply(instances[index].machine.adopted(identity, since: since, now: now), to: index)
        processBegan(index, now: now)
    }

    /// A process runs: when will it be looked at?
    mutating func processBegan(_ index: Int, now: MonotonicTime) {
        guard configuration.readiness.usesDistribution else {
            let since = instances[index].machine.startedAt ?? now
            return instances[index].probe(at: since + configuration.readiness.aliveFor)
        }
        instances[index].probeSoon(now: now)
    }

    mutating func stands(_ index: Int, _ release: DeployedRelease) {
        // While the instance is being changed the change's own end tells.
        if rollout?.instance == index, rollout?.isChanging == true { return }
        guard instances[index].current != release else { return }
        log(
            .warning,
            "Instance: \(index + 1) boots version \(release.version), not "
                + "\(instances[index].current?.version ?? "none")")
        instances[index].current = release
    }

    mutating func exited(_ index: Int, _ status: ProcessExit, now: MonotonicTime) {
        let before = instances[index].machine.restarts.crash
        instances[index].endRun()
        apply(instances[index].machine.exited(status, now: now), to: index)
        guard instances[index].machine.restarts.crash > before else { return }
        countCrash(index, "the last time: \(status)", now: now)
    }

    /// One more crash of what may be a new release.
    private mutating func countCrash(_ index: Int, _ reason: String, now: MonotonicTime) {
        guard var trial = instances[index].trial else { return }
        guard now < trial.until else {
            instances[index].trial = nil
            return
        }
        trial.crashCount += 1
        instances[index].trial = trial
        // While its node is upgraded, the upgrade's own end tells what became of it.
        if rollout?.instance == index, rollout?.isChanging == true { return }
        guard trial.crashCount > timings.maximumCrashes,
            let version = instances[index].current?.version
        else { return }
        trialFailed(
            index, "version \(version) crashed \(trial.crashCount) times, \(reason)", now: now)
    }

    // MARK: Probing

    mutating func probeIfDue(_ index: Int, now: MonotonicTime) {
        guard instances[index].beginProbeIfDue(now: now) else { return }
        let kind: ProbeKind = instances[index].isReady ? .liveness : .readiness
        actions.append(.probe(index + 1, run: instances[index].run, kind))
    }

    mutating func probed(_ index: Int, run: Int, _ readiness: ProbeResult, now: MonotonicTime) {
        guard instances[index].run == run, instances[index].isProbed else { return }
        let wasResponding = instances[index].unansweredProbes == 0
        let reason: String
        switch readiness {
        case .ready:
            instances[index].unansweredProbes = 0
            if !wasResponding { log(.info, "Instance: \(index + 1) responds again") }
            becameReady(index, now: now)
            return instances[index].endProbe(next: now + timings.livenessInterval)
        case .notReady(let text):
            instances[index].isConnected = true
            instances[index].unansweredProbes = 0
            reason = text
        case .unreachable(let text):
            instances[index].isConnected = false
            reason = text
        case .unresponsive(let text):
            reason = text
            // A boot may take long, but not for ever.
            let age = instances[index].machine.startedAt.map { now - $0 } ?? .zero
            guard instances[index].wasReady || age >= timings.readyTimeout else { break }
            instances[index].unansweredProbes += 1
            if wasResponding {
                log(.warning, "Instance: \(index + 1) does not respond: \(text)")
            }
            if instances[index].unansweredProbes >= timings.livenessFailures {
                return hung(index, now: now)
            }
        }
        instances[index].endProbe(
            next: now
                + (instances[index].isReady ? timings.livenessInterval : timings.readinessInterval))
        instances[index].failedProbes += 1
        // A node takes a moment to boot, and one that dies is told of as a crash: only what lasts
        // is worth a line of its own.
        let age = instances[index].machine.startedAt.map { now - $0 } ?? .zero
        guard age >= timings.slowStartNotice, instances[index].failedProbes > 2,
            instances[index].unansweredProbes == 0
        else { return }
        if instances[index].notice(reason) {
            log(.error, "Instance: \(index + 1) does not answer as it should: \(reason)")
        }
    }

    private mutating func becameReady(_ index: Int, now: MonotonicTime) {
        instances[index].isConnected = configuration.readiness.usesDistribution
        instances[index].failedProbes = 0
        instances[index].forgetNotice()
        guard !instances[index].isReady else { return }
        instances[index].isReady = true
        instances[index].wasReady = true
        apply(instances[index].machine.becameReady(now: now), to: index)
        if let current = instances[index].current { noteGood(current, latest: false) }
    }

    /// It is there and has not answered for too long.
    private mutating func hung(_ index: Int, now: MonotonicTime) {
        // A node that is being upgraded may be busy with that; the upgrade has its own deadlines.
        if rollout?.instance == index, rollout?.isChanging == true {
            return instances[index].endProbe(next: now + timings.livenessInterval)
        }
        let count = instances[index].unansweredProbes
        instances[index].endProbe(next: now + timings.livenessInterval)
        instances[index].isReady = false
        log(
            .error,
            "Application instance: \(index + 1) has not responded \(count) times in a row: it is "
                + "killed and started again")
        apply(instances[index].machine.hung(now: now), to: index)
        countCrash(index, "it did not respond", now: now)
    }

    // MARK: The distribution

    mutating func connected(_ index: Int, creation: UInt32, now: MonotonicTime) {
        guard instances[index].isProbed else { return }
        instances[index].isConnected = true
        let before = instances[index].creation
        instances[index].creation = creation
        guard let before, before != creation else { return }
        instances[index].reboot(now: now)
        apply(instances[index].machine.rebootedInPlace(now: now), to: index)
        countCrash(index, "it rebooted by itself", now: now)
    }

    mutating func disconnected(_ index: Int, now: MonotonicTime) {
        instances[index].isConnected = false
        guard configuration.readiness.usesDistribution else { return }
        instances[index].probeSoon(now: now)
    }

    // MARK: What the machines want

    /// Turns what an instance's machine wants into the engine's own actions.
    mutating func apply(_ wanted: [InstanceMachine.Action], to index: Int) {
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
        case .rebooted(let count):
            log(
                .error,
                "Application instance: \(number) rebooted by itself in the same process, "
                    + "\(Self.times(count))")
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
}
