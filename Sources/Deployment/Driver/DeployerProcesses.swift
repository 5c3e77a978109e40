internal import ErlDist
package import Supervisor
internal import Transport

// The instances' processes: taken over, started, signalled, probed.

extension Deployer {
    // MARK: What an earlier deployex left

    /// Reads an instance's state, and takes its process over if it runs.
    func takeOver(_ instance: DrivenInstance) async throws -> DeploymentEngine.Found {
        let number = instance.number
        var record = try await readRecord(of: instance)
        var process = DeploymentEngine.FoundProcess.none
        // Taken over already by an earlier attempt to start, which failed for another reason.
        if let session = instance.session { record.process = session.identity }
        if let identity = record.process {
            if instance.session == nil {
                let words = lastWords(of: number)
                instance.logStarts = await loop.offload { words.starts() }
                instance.session = try await effects.processes.adopt(
                    identity, others: record.others ?? []
                ) { event in
                    self.assumeIsolated { $0.received(event, from: number) }
                }
            }
            if instance.session != nil {
                if record.port == nil {
                    // Its record was lost, or an older deployex wrote it.
                    let port = await effects.processes.variable("PORT", of: identity)
                    record.noteFound(port: port.flatMap { UInt16($0) })
                }
                tellOfPort(record.port, of: number)
                process = .running(
                    identity, since: loop.now + (.zero - effects.processes.age(of: identity)),
                    isStopping: record.isStopping)
            } else {
                // It is not a crash if the process was killed with its deployex before it became
                // the program, if it was to end, or if the whole host ended.
                let isCrash =
                    record.hasBegun && !record.isStopping
                    && identity.bootID == effects.processes.bootID
                process = isCrash ? .ended : .none
                try await stopLeftover(record, timeout: configuration.timings.stopTimeout) {
                    "Instance: \(number) ran as OS process \($0.pid)"
                }
                record.end()
            }
        }
        if instance.session == nil { await effects.finishLogs?(instance.name) }
        let onDisk = await recover(instance)
        for finding in onDisk.findings { log(.warning, finding) }
        instance.keeper = InstanceRecordKeeper(record, in: records)
        return DeploymentEngine.Found(
            current: onDisk.current, previous: onDisk.previous,
            note: InstanceNote(
                restarts: record.restarts, isStoppedByOperator: record.isStopped,
                creation: record.creation, pendingRestart: record.pendingRestart),
            process: process,
            interruptedUpgrade: onDisk.interruptedUpgrade.flatMap {
                try? Release(version: $0.version, hash: $0.hash)
            })
    }

    /// Ends what is left of an instance: one that is not to run, or whose process has ended. The
    /// log names what is not ended.
    /// - Returns: whether nothing that was to end is left.
    @discardableResult
    private func stopLeftover(
        _ record: InstanceRecord, timeout: Duration, _ text: (ProcessIdentity) -> String
    ) async throws -> Bool {
        let number = record.instance
        let leftover = LeftoverInstance(
            record, folder: effects.layout.instanceFolder(number), owners: effects.logs.owners)
        let (parts, unseen) = try await leftover.stop(
            timeout: timeout, in: effects.processes, on: loop)
        for part in parts {
            tellOfLeftover(
                part.outcome,
                part.isLeader
                    ? text(part.identity)
                    : "Instance: \(number) had left OS process \(part.identity.pid) behind")
        }
        tellOfOthers(unseen, of: number)
        return !parts.contains(where: \.hasSurvived)
    }

    /// The processes that carry the mark of an instance.
    private func others(of number: InstanceNumber) async -> [MarkedProcess] {
        let folder = effects.layout.instanceFolder(number)
        return await effects.processes.marked(
            with: "\(Orphans.variable)=\(folder)", owners: effects.logs.owners)
    }

    private func tellOfOthers(_ others: [MarkedProcess], of number: InstanceNumber) {
        guard !others.isEmpty else { return }
        let names = others.prefix(5).map { "\($0)" }.joined(separator: ", ")
        log(
            .warning,
            "Instance: \(number) has ended, and processes go on that it had started and deployex has not seen "
                + "leave it: \(names)" + (others.count > 5 ? ", …" : ""))
    }

    /// The port of the running process, or else the port that the next one gets.
    package func port(of number: InstanceNumber) -> UInt16? {
        instance(number).keeper.record.port ?? configuredPort(of: number)
    }

    /// The ports of all instances, in order.
    package var ports: [UInt16?] {
        InstanceNumber.first(configuration.replicas).map { port(of: $0) }
    }

    private func configuredPort(of number: InstanceNumber) -> UInt16? {
        effects.instances.firstPort.flatMap {
            InstanceEnvironment.port(first: $0, instance: number)
        }
    }

    private func tellOfPort(_ port: UInt16?, of number: InstanceNumber) {
        guard let port, let configured = configuredPort(of: number), port != configured else {
            return
        }
        log(
            .warning,
            "Instance: \(number) was started with port \(port), and \(configured) is configured: it needs a "
                + "restart to apply (`deployex restart \(instance(number).name)`)")
    }

    /// The record of an instance. If there is none, it comes from the process itself, for example
    /// when an earlier start set a damaged record aside and got no further.
    private func readRecord(of instance: DrivenInstance) async throws -> InstanceRecord {
        let (records, name) = (records, instance.name)
        let finding = try await loop.offload { try records.read(name) }
        if case .found(let record) = finding { return record }
        if case .damaged(let path, let reason) = finding {
            log(.warning, "The record of \(name) is damaged (\(reason)): kept as \(path)")
        }
        var record = InstanceRecord(name: name)
        record.process = await processWithoutRecord(instance.number)
        return record
    }

    /// Completes or undoes unfinished work in an instance's folders. If that fails, the folders are
    /// taken as they are; it is tried again before the next work on them and before the next boot.
    /// The other instances, and other applications, do not wait for it.
    private func recover(_ instance: DrivenInstance) async -> InstanceState.Found {
        let (state, isRunning) = (instance.state, instance.session != nil)
        do {
            return try await loop.offload { try state.recover(isRunning: isRunning) }
        } catch {
            log(.error, "completing what was under way at instance: \(instance.number): \(error)")
            return InstanceState.Found(current: await standing(instance.number))
        }
    }

    /// Finds an instance's process without a record. It is the process that was started as this
    /// instance's program, from this instance's folder, and that leads its own session.
    private func processWithoutRecord(_ number: InstanceNumber) async -> ProcessIdentity? {
        let folder = effects.layout.current(number)
        let found = await effects.processes.leaders(
            in: folder, with: "RELEASE_NODE_SUFFIX=-\(number)", owners: effects.logs.owners)
        guard found.count == 1 else {
            if found.count > 1 {
                log(
                    .error,
                    "\(found.count) processes run from \(folder): none of them is taken over")
            }
            return nil
        }
        log(.warning, "Found the process of instance: \(number) by its folder: \(found[0])")
        return found[0]
    }

    /// Ends processes that must not go on: instances beyond the configured number, and a host
    /// command that nobody waits for any more.
    func stopLeftovers() async throws {
        let (records, application) = (records, application)
        let command = CommandRecordFile(
            folder: records.path, application: application, files: effects.files)
        if let identity = try await loop.offload({ try command.read() }) {
            let outcome = try await LeftoverSession.stop(
                identity, timeout: .seconds(2), in: effects.processes, on: loop)
            tellOfLeftover(
                outcome,
                "A pre-command still ran from an earlier start as OS process \(identity.pid)")
            try await loop.offload { try command.remove() }
        }
        let names = try await loop.offload {
            try records.names().filter { $0.app == application }
        }
        for name in names where name.number.value > configuration.replicas {
            guard case .found(var record) = try await loop.offload({ try records.read(name) })
            else {
                continue
            }
            if record.process != nil {
                record.isStopping = true
                let decided = record
                try await loop.offload { try records.write(decided) }
                let replicas = configuration.replicas
                let isGone = try await stopLeftover(
                    record, timeout: configuration.timings.stopTimeout
                ) {
                    "Instance: \(name.number) is more than \(replicas) replicas and ran as "
                        + "OS process \($0.pid)"
                }
                // The next start tries again.
                guard isGone else { continue }
            }
            try await loop.offload { try records.remove(name) }
        }
    }

    private func tellOfLeftover(_ outcome: LeftoverSession.Outcome, _ text: String) {
        switch outcome {
        case .notRunning: break
        case .stopped: log(.warning, "\(text): stopped")
        case .survived: log(.error, "\(text): it is killed and does not end")
        }
    }

    // MARK: Starting

    func spawn(_ number: InstanceNumber) async {
        let (layout, files, application) = (effects.layout, effects.files, application)
        let instance = instance(number)
        let (name, keeper) = (instance.name, instance.keeper)
        let (check, port) = (effects.checkRelease, configuredPort(of: number))
        instance.hasToldOfOthers = false
        instance.required = nil
        do {
            try await makeFolders(number)
            await effects.prepareLogs?(name)
            let words = lastWords(of: number)
            instance.logStarts = await loop.offload { words.starts() }
            let command = await startCommand(in: layout.current(number))
            var program = Program(
                path: "\(layout.current(number))/\(command.program)",
                arguments: command.arguments, environment: variables(number, for: command),
                folder: layout.current(number),
                stdoutPath: effects.logs.path(name, .stdout),
                stderrPath: effects.logs.path(name, .stderr), setting: effects.process)
            program.logOwners = effects.logs.owners
            program.foreignVariables = foreignVariables
            let path = program.path
            guard try await loop.offload({ try files.status(path) }) != nil else {
                tell(.stands(number, nil))
                throw SpawnError("there is no \(path)")
            }
            log(.info, " # Starting \(path)...")
            try await prepareBoot(number)
            let version = snapshot?.instances[number].current?.version
            await attempt("preparing \(layout.current(number))") {
                try HotUpgradeFiles.restorePristineConfiguration(
                    layout.current(number), files: files)
                if command.isShipment { return }
                try ReleasesFile.write(
                    for: layout.current(number), name: application, files: files)
            }
            try await loop.offload { try check?(layout.current(number)) }
            let stopTimeout = configuration.timings.stopTimeout
            let sockets = try await effects.sockets?(number)
            sockets?.give(to: &program)
            let session = try await effects.processes.start(
                program,
                record: { identity in
                    try keeper.update {
                        $0.begin(identity, version: version, port: port, stopTimeout: stopTimeout)
                    }
                },
                onEvent: { event in
                    self.assumeIsolated { $0.received(event, from: number) }
                })
            withExtendedLifetime(sockets) {}
            instance.session = session
            tell(.spawned(number, session.identity))
            await attempt("recording the start of \(name)") {
                try keeper.update { record in
                    if record.process == session.identity { record.hasBegun = true }
                }
            }
        } catch {
            await attempt("recording that \(name) does not run") { try keeper.update { $0.end() } }
            await effects.finishLogs?(name)
            let isOfRelease = (error as? SpawnError)?.isOfProgram ?? false
            tell(.spawnFailed(number, reason: "\(error)", isOfRelease: isOfRelease))
        }
    }

    /// The command that starts the release in `folder`.
    func startCommand(in folder: String) async -> StartCommand {
        if let command = effects.startCommand { return command }
        let (application, files) = (application, effects.files)
        do {
            return try await loop.offload {
                try StartCommand.find(in: folder, application: application, files: files)
            }
        } catch {
            log(.error, "looking for what starts \(folder): \(error)")
            return StartCommand(program: "bin/\(application)", arguments: ["start"])
        }
    }

    /// Puts in order the release that is about to boot, and tells the engine if it is not the known
    /// one.
    /// - Throws: ``SpawnError`` when nothing boots there and that cannot be mended.
    private func prepareBoot(_ number: InstanceNumber) async throws(SpawnError) {
        let (state, folder) = (instance(number).state, effects.layout.current(number))
        let found: InstanceState.Found
        do {
            found = try await loop.offload { try state.prepareBoot() }
        } catch {
            return log(.error, "looking at what \(folder) boots: \(error)")
        }
        for finding in found.findings { log(.warning, finding) }
        let known = snapshot?.instances[number].current
        if found.current != known { tell(.stands(number, found.current)) }
        if found.current == nil { throw SpawnError("\(folder) holds no release that boots") }
    }

    func write(_ note: InstanceNote, of number: InstanceNumber) async {
        let (keeper, name) = (instance(number).keeper, instance(number).name)
        await attempt("writing the record of \(name)") {
            try keeper.update { record in
                record.restarts = note.restarts
                record.isStopped = note.isStoppedByOperator
                // A process that has ended has no node any more.
                record.creation = record.process == nil ? nil : note.creation
                record.pendingRestart =
                    record.process == nil ? PendingRestart() : note.pendingRestart
            }
        }
    }

    func received(_ event: ProcessSession.Event, from number: InstanceNumber) {
        guard hasEngine else { return untold.append((number, event)) }
        switch event {
        case .left(let identity):
            begin { await $0.note(identity, leftBy: number) }
        case .exited(let exit):
            tell(.exited(number, exit))
        case .ended(let survivors):
            if survivors > 0 {
                log(
                    .error,
                    "Instance: \(number) left \(survivors) processes that SIGKILL does not end")
            }
            instance(number).session = nil
            begin { await $0.forget(number) }
        }
    }

    /// Records a process, so that a later deployex also ends it with the instance.
    private func note(_ other: ProcessIdentity, leftBy number: InstanceNumber) async {
        let instance = instance(number)
        let (keeper, name) = (instance.keeper, instance.name)
        await attempt("recording what \(name) has left behind") {
            try keeper.update { $0.left(other) }
        }
        guard !instance.hasToldOfOthers else { return }
        instance.hasToldOfOthers = true
        log(
            .info,
            "Instance: \(number) runs processes outside of its session, the first is OS process "
                + "\(other.pid): they end with it")
    }

    /// Removes the record before the next start may write its own.
    private func forget(_ number: InstanceNumber) async {
        let (keeper, name) = (instance(number).keeper, instance(number).name)
        let end = loop.now
        await attempt("recording the end of \(name)") { try keeper.update { $0.end() } }
        // Before the next start, which prepares them.
        await effects.finishLogs?(name)
        tell(.sessionEnded(number))
        // The next start does not wait for this, and its processes do not count here.
        let left = await others(of: number).filter { other in
            effects.processes.age(of: other.identity) > (loop.now - end) + .milliseconds(50)
        }
        tellOfOthers(left, of: number)
    }

    // MARK: Signals

    /// Signals an instance's process once the decision to stop it is on disk, so that a start in
    /// between goes on with it. If the decision cannot be written, it is tried again.
    func signal(_ number: InstanceNumber, _ send: @escaping @Sendable (any RunningSession) -> Void)
        async
    {
        guard let session = instance(number).session else { return }
        let (keeper, name) = (instance(number).keeper, instance(number).name)
        do {
            try await makeFolders(number)
        } catch {
            log(.error, "making the folders of \(name): \(error)")
        }
        let isRecorded = await attempt("recording that \(name) is to stop") {
            try keeper.update { $0.isStopping = true }
        }
        let instance = instance(number)
        guard instance.session === session else { return }
        if isRecorded { return send(session) }
        let isTriedAgain = instance.unsent != nil
        instance.unsent = (session, send)
        guard !isTriedAgain else { return }
        loop.schedule(after: .seconds(1)) { [self] in
            assumeIsolated { deployer in
                let instance = deployer.instance(number)
                // Another process has come meanwhile: the signal was not meant for that one.
                guard let (session, send) = instance.unsent.take(), instance.session === session
                else { return }
                deployer.begin { await $0.signal(number, send) }
            }
        }
    }

    /// Logs how many connections an instance still has that is about to be killed.
    func tellOfConnections(_ number: InstanceNumber) async {
        guard let count = effects.connectionCount, let sockets = instance(number).session?.sockets,
            let open = await count(number, sockets), open > 0
        else { return }
        log(.warning, "Instance: \(number) is killed while \(open) of its connections are open")
    }

    // MARK: Probing

    func probe(_ number: InstanceNumber, run: Int, _ kind: ProbeKind) async {
        tell(.probed(number, run: run, await readiness(number, kind)))
    }

    private func readiness(_ number: InstanceNumber, _ kind: ProbeKind) async -> ProbeResult {
        let usesDistribution = configuration.readiness.usesDistribution
        switch kind {
        case .liveness:
            guard usesDistribution else { return .ready }
            return await healthProbe(number, timeout: configuration.timings.livenessTimeout)
                .liveness()
        case .readiness:
            if usesDistribution {
                let required = await requiredApplications(number)
                let readiness = await healthProbe(number, timeout: .seconds(2))
                    .readiness(of: required)
                guard readiness == .ready else { return readiness }
            }
            return await effects.checkReadiness?(number, port(of: number)) ?? .ready
        }
    }

    private func healthProbe(_ number: InstanceNumber, timeout: Duration) -> HealthProbe {
        let session = instance(number).session
        return HealthProbe(node: effects.node(number), timeout: timeout) { pid in
            await session?.includes(pid) ?? true
        }
    }

    /// The applications that an instance's node must have started.
    private func requiredApplications(_ number: InstanceNumber) async -> [String] {
        if let named = configuration.readiness.applications { return named }
        let instance = instance(number)
        guard let version = snapshot?.instances[number].current?.version else { return [] }
        if let known = instance.required, known.version == version { return known.applications }
        let (folder, files, name) = (effects.layout.current(number), effects.files, application)
        // A shipment has no list of its applications.
        if await startCommand(in: folder).isShipment {
            instance.required = (version, [name])
            return [name]
        }
        var applications: [String] = []
        do {
            applications = try await loop.offload {
                try RequiredApplications.read(folder, name: name, version: version, files: files)
                    .names
            }
        } catch {
            log(
                .warning,
                "Which applications instance: \(number) must have started is not known: \(error); a "
                    + "finished boot counts as ready")
        }
        instance.required = (version, applications)
        return applications
    }

    /// Logs a crash with the last line that the instance has printed since its start, or since it
    /// was taken over: on stderr, or else on stdout.
    func logCrash(_ text: String, of number: InstanceNumber) async {
        let (words, starts) = (lastWords(of: number), instance(number).logStarts)
        let line = await loop.offload { words.line(since: starts) }
        let said = line.map { "; it said last: \(shortened($0, to: 300))" } ?? ""
        log(.error, text + said)
    }

    private func lastWords(of number: InstanceNumber) -> LastWords {
        LastWords(
            logs: effects.logs, name: instance(number).name, tail: effects.logTail,
            end: effects.logEnd)
    }

    func readLogTail(_ number: InstanceNumber, _ id: ReleaseID) async {
        let (logs, name, tail) = (effects.logs, instance(number).name, effects.logTail)
        let lines = await loop.offload { () -> [String] in
            let count = ApplicationRecord.Limits.logLines
            // A BEAM that crashes says so on stderr or on stdout.
            let errors = (try? tail(logs.path(name, .stderr), count)) ?? []
            return errors.isEmpty ? (try? tail(logs.path(name, .stdout), count)) ?? [] : errors
        }
        tell(.logTailRead(number, id, lines: lines))
    }

    /// The environment variables that this command starts an instance with.
    private func variables(
        _ number: InstanceNumber, for command: StartCommand
    ) -> [String: String] {
        var variables = variables(number)
        variables[Orphans.variable] = effects.layout.instanceFolder(number)
        if command.isShipment, configuration.readiness.usesDistribution {
            let flags = variables["ERL_AFLAGS"].map { " " + $0 } ?? ""
            variables["ERL_AFLAGS"] =
                StartCommand.shipmentFlags(effects.instances.naming, instance(number).name) + flags
        }
        return variables
    }

    /// Those variables of all programs of a release that are not UTF-8.
    var foreignVariables: [ForeignVariable] {
        InstanceEnvironment.foreign(effects.foreignVariables)
    }

    /// The environment variables of all programs of an instance's release.
    func variables(_ number: InstanceNumber) -> [String: String] {
        var variables = effects.instances.variables(
            of: instance(number).name, inherited: effects.inherited)
        if variables[Self.crashDumpVariable] == nil {
            // By default a dump would go into the release's folder and be removed with it.
            variables[Self.crashDumpVariable] = ownCrashDumpPath(number)
        }
        return variables
    }

    private static let crashDumpVariable = "ERL_CRASH_DUMP"

    private func ownCrashDumpPath(_ number: InstanceNumber) -> String {
        let folder = effects.logs.crashDumpFolder(
            app: application, user: effects.process.user)
        return "\(folder)/\(instance(number).name)-erl_crash.dump"
    }

    /// Where an instance that starts now is told to leave its crash dump.
    package func crashDumpPath(of number: InstanceNumber) -> String {
        variables(number)[Self.crashDumpVariable] ?? ownCrashDumpPath(number)
    }
}
