internal import Deployment
internal import Supervisor
internal import Transport

// The instances' processes: taken over, started, signalled, probed.

extension SimulatedDeployer {
    // MARK: What an earlier deployex left

    func find(_ number: Int) throws(FileSystemError) -> DeploymentEngine.Found {
        let name = name(number)
        var record = InstanceRecord(name: name)
        switch try records.read(name) {
        case .absent: record.process = processWithoutRecord(number)
        case .damaged(let path, let reason):
            world.note("  the record of \(name) is damaged (\(reason)): kept as \(path)")
            record.process = processWithoutRecord(number)
        case .found(let found): record = found
        }
        var process = DeploymentEngine.FoundProcess.none
        if let identity = record.process {
            if let running = adopt(identity, number) {
                process = .running(
                    identity, since: running.startedAt, isStopping: record.isStopping)
            } else {
                let isCrash =
                    record.hasBegun && !record.isStopping
                    && identity.bootID == world.host.bootID
                process = isCrash ? .ended : .none
                record.end()
            }
        }
        let state = states[number - 1]
        let onDisk = try state.recover(isRunning: sessions[number] != nil)
        for finding in onDisk.findings { world.note("  \(finding)") }
        keepers.append(InstanceRecordKeeper(record, in: records))
        var found = DeploymentEngine.Found(current: onDisk.current, previous: onDisk.previous)
        found.note = InstanceNote(
            restarts: record.restarts, isStoppedByOperator: record.isStopped,
            creation: record.creation)
        found.process = process
        if let to = onDisk.interruptedUpgrade {
            found.interruptedUpgrade = try? Release(version: to.version, hash: to.hash)
        }
        return found
    }

    /// The process that was started from the instance's folder.
    private func processWithoutRecord(_ number: Int) -> ProcessIdentity? {
        let found = world.host.processes(of: number)
        return found.count == 1 ? found[0].identity : nil
    }

    private func adopt(_ identity: ProcessIdentity, _ number: Int) -> SimulatedProcess? {
        let found =
            world.sabotage == .signalsByPID
            ? world.host.process(pid: identity.pid) : world.host[identity]
        guard let found else { return nil }
        if world.sabotage == .restartsInsteadOfAdopting {
            world.signal(found.identity, number, kills: true)
            return nil
        }
        sessions[number] = Session(identity: found.identity, isChild: false)
        return found
    }

    // MARK: Starting

    func spawn(_ number: Int) {
        let layout = world.layout
        attempt("looking at what boots") {
            let found = try states[number - 1].prepareBoot()
            for finding in found.findings { world.note("  \(finding)") }
            let known = snapshot.instances[number - 1].current
            if let current = found.current, current != known { tell(.stands(number, current)) }
        }
        let version = snapshot.instances[number - 1].current?.version
        attempt("preparing \(layout.current(number))") {
            try HotUpgradeFiles.restorePristineConfiguration(
                layout.current(number), files: world.disk)
            try ReleasesFile.write(
                for: layout.current(number), name: Scenario.application, files: world.disk)
        }
        guard !world.disk.isStopped else { return }
        guard world.disk.image.status(layout.program(number)) != nil else {
            keep(number, "recording") { $0.end() }
            return tell(.spawnFailed(number, reason: "there is no program"))
        }
        let identity = start(number)
        if world.sabotage == .recordsAfterStart { world.programBegins(identity, number) }
        let isRecorded = keep(number, "recording the start") {
            $0.begin(identity, version: version)
        }
        guard isRecorded else {
            // It waits for its record before it becomes the program, and ends with deployex.
            if world.sabotage != .recordsAfterStart { world.host.end(identity) }
            guard !world.disk.isStopped else { return }
            keep(number, "recording that it does not run") { $0.end() }
            return tell(.spawnFailed(number, reason: "its record cannot be written"))
        }
        if world.sabotage != .recordsAfterStart { world.programBegins(identity, number) }
        after(.zero ... .milliseconds(10)) {
            self.sessions[number] = Session(identity: identity, isChild: true)
            self.tell(.spawned(number, identity))
            self.keep(number, "recording the start of \(number)") { record in
                if record.process == identity { record.hasBegun = true }
            }
            if self.world.host[identity] == nil { self.processEnded(identity, .code(1)) }
        }
    }

    private func start(_ number: Int) -> ProcessIdentity {
        let isStubborn = world.random.chance(world.scenario.stubbornProcesses)
        let termination: SimulatedProcess.Termination =
            isStubborn
            ? world.random.pick([.never, .after(.seconds(4))])
            : .after(world.random.duration(.milliseconds(5) ... .milliseconds(800)))
        return world.host.start(.instance(number), termination, now: world.now)
    }

    func write(_ note: InstanceNote, of number: Int) {
        keep(number, "writing the record of \(number)") { record in
            record.restarts = note.restarts
            record.isStopped = note.isStoppedByOperator
            record.creation = record.process == nil ? nil : note.creation
        }
    }

    /// Changes the record of an instance. Whether that is on the disk.
    @discardableResult
    private func keep(
        _ number: Int, _ what: String, _ change: (inout InstanceRecord) -> Void
    ) -> Bool {
        if world.sabotage == .keepsNoSpare {
            let path = records.filePath(name(number)) + ".spare"
            attempt("dropping the spare") { try world.disk.removeFile(path) }
        }
        let (isSound, operations) = (!world.disk.hasFault, world.disk.operationCount)
        let isWritten = attempt(what) { try keepers[number - 1].update(change) }
        if isSound, world.disk.operationCount > operations {
            world.invariants.wroteRecord(of: number, isWritten: isWritten, isFull: world.isFull)
        }
        return isWritten
    }

    // MARK: Ending

    /// The host says that a process has ended.
    func processEnded(_ identity: ProcessIdentity, _ exit: ProcessExit) {
        let number = sessions.keys.sorted().first { sessions[$0]?.identity == identity }
        guard let number, let session = sessions[number], !session.hasExited else { return }
        if world.sabotage == .missesEndsOfAdopted, !session.isChild { return }
        sessions[number]?.hasExited = true
        // What else belongs to the session ends a moment later.
        let rest = world.random.duration(.zero ... .milliseconds(300))
        world.invariants.lingers(number, until: world.now + rest)
        after(.zero ... .milliseconds(20)) {
            self.tell(.exited(number, session.isChild ? exit : .unknown))
            if self.world.sabotage == .startsTooEarly { return self.endSession(number) }
            self.after(rest) { self.endSession(number) }
        }
    }

    private func endSession(_ number: Int) {
        sessions[number] = nil
        after(.zero ... .milliseconds(5)) {
            self.keep(number, "recording the end") { $0.end() }
            self.tell(.sessionEnded(number))
        }
    }

    // MARK: Signals

    func signal(_ number: Int, kills: Bool) {
        after(.zero ... .milliseconds(5)) {
            guard let session = self.sessions[number] else { return }
            if self.world.sabotage == .signalsBeforeRecord {
                self.world.signal(session.identity, number, kills: kills)
            }
            let isRecorded = self.keep(number, "recording that \(number) is to stop") {
                $0.isStopping = true
            }
            guard !self.world.disk.isStopped else { return }
            guard isRecorded else {
                return self.after(.seconds(1)) { self.signal(number, kills: kills) }
            }
            self.after(.zero ... .milliseconds(2)) {
                guard self.sessions[number]?.identity == session.identity else { return }
                self.world.signal(session.identity, number, kills: kills)
            }
        }
    }

    // MARK: The node

    func connectionLost(_ number: Int, _ creation: UInt32) {
        guard connections[number] == creation else { return }
        after(.zero ... .milliseconds(50)) {
            guard self.connections[number] == creation else { return }
            self.connections[number] = nil
            self.tell(.disconnected(number))
        }
    }

    func probe(_ number: Int, run: Int, _ kind: ProbeKind) {
        after(.milliseconds(1) ... .milliseconds(30)) {
            guard let process = self.world.nodeProcess(number), let node = process.node else {
                return self.tell(.probed(number, run: run, .unreachable("connection refused")))
            }
            if self.connections[number] != node.creation {
                self.connections[number] = node.creation
                self.tell(.connected(number, creation: node.creation))
            }
            guard node.answers(at: self.world.now) else {
                let timeout: Duration =
                    kind == .liveness
                    ? self.world.scenario.configuration.timings.livenessTimeout : .seconds(2)
                return self.after(timeout) {
                    self.tell(.probed(number, run: run, .unresponsive("no answer in time")))
                }
            }
            if self.world.random.chance(5) {
                // An answer that is long under way, and perhaps no longer true.
                let answer = self.readiness(process.identity, node.creation, kind)
                return self.after(.milliseconds(200) ... .milliseconds(750)) {
                    let isConnected = self.connections[number] == node.creation
                    self.tell(
                        .probed(number, run: run, isConnected ? answer : .unreachable("lost")))
                }
            }
            self.after(.milliseconds(1) ... .milliseconds(200)) {
                self.tell(
                    .probed(number, run: run, self.readiness(process.identity, node.creation, kind))
                )
            }
        }
    }

    private func readiness(
        _ identity: ProcessIdentity, _ creation: UInt32, _ kind: ProbeKind
    ) -> ProbeResult {
        guard let node = world.host[identity]?.node, node.creation == creation else {
            return .unreachable("the connection was lost")
        }
        switch kind {
        case .liveness: return .ready
        case .readiness where world.sabotage == .takesConnectedForReady: return .ready
        case .readiness:
            return node.isReady(at: world.now) ? .ready : .notReady("not started")
        }
    }
}
