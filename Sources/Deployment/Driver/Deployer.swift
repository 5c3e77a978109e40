internal import ErlDist
package import Supervisor
internal import Transport

/// Carries out what the ``DeploymentEngine`` decides for one application, and tells it what
/// happened.
///
/// It decides nothing itself. Blocking work runs on other threads. Each action that takes time is a
/// task that ends with an event. The deployer may end at any moment, with or without ``detach()``:
/// the next one goes on from the state on disk and the running processes.
package actor Deployer {
    nonisolated let effects: Effects
    nonisolated var loop: any SerialLoop { effects.loop }
    let configuration: EngineConfiguration
    let records: InstanceRecordFolder
    /// In the order of their numbers.
    private let instances: [DrivenInstance]
    let programs: Programs
    private var engine: DeploymentEngine?
    /// Events of adopted processes that came before there was an engine: such a process may have
    /// been ending already.
    var untold: [(number: InstanceNumber, event: ProcessSession.Event)] = []
    /// Whether the log has said that nothing is published; it does so once.
    var hasToldOfWaiting = false
    /// The package that was unpacked last, or is being.
    var unpacked: UnpackedRelease?
    private var timer: LoopTimer?
    private var hasFinished = false
    private var isDetached = false
    private var finishWaiters: [CheckedContinuation<Void, Never>] = []
    private var commands: [UInt64: CheckedContinuation<CommandResult, Never>] = [:]
    private var nextCommand: UInt64 = 0
    /// The application's record as it is to be on disk, and the task that writes it.
    private var unsavedRecord: ApplicationRecord?
    /// The last record that was to be on disk.
    private(set) var latestRecord: ApplicationRecord?
    private var saving: Task<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(configuration: EngineConfiguration, effects: Effects) {
        self.configuration = configuration
        self.effects = effects
        programs = Programs(processes: effects.processes, loop: effects.loop)
        let records = InstanceRecordFolder(
            base: effects.layout.basePath, fileSystem: effects.files)
        self.records = records
        instances = InstanceNumber.first(configuration.replicas).map { number in
            DrivenInstance(
                InstanceName(app: configuration.application, number: number),
                InstanceState(layout: effects.layout, instance: number, files: effects.files),
                in: records)
        }
    }

    var application: String { configuration.application }
    func instance(_ number: InstanceNumber) -> DrivenInstance { instances[number] }

    // MARK: Life

    /// Prepares the folders, takes over the processes of an earlier deployex, completes or undoes
    /// its unfinished work, and begins.
    ///
    /// The base folder exists and is held by this process alone. After ``detach()`` it does
    /// nothing.
    /// - Throws: `FileSystemError` when the state on disk cannot be used. You may then call it
    ///   again.
    package func start() async throws {
        precondition(engine == nil, "A deployer starts once")
        guard !isDetached else { return }
        let (effects, records, states) = (effects, records, instances.map(\.state))
        try await loop.offload {
            try records.prepare()
            try effects.prepareLogFolder()
            for state in states { try state.prepare() }
        }
        try await stopLeftovers()
        var found: [DeploymentEngine.Found] = []
        for instance in instances { found.append(try await takeOver(instance)) }
        let (record, findings) = try await readRecord()
        latestRecord = record
        for finding in findings { log(.warning, finding) }
        guard !isDetached else { return }
        let (engine, actions) = DeploymentEngine.begin(
            configuration: configuration, record: record, found: found, now: loop.now,
            seconds: loop.secondsSince1970)
        self.engine = engine
        effects.onDecision?(nil, actions)
        perform(actions)
        for (number, event) in untold { received(event, from: number) }
        untold = []
        clean()
    }

    /// Whether it has begun.
    package var hasEngine: Bool { engine != nil }

    private func readRecord() async throws -> (ApplicationRecord, [String]) {
        let file = ApplicationRecordFile(layout: effects.layout, files: effects.files)
        return try await loop.offload {
            var findings: [String] = []
            let record = try file.read(findings: &findings)
            return (record ?? ApplicationRecord(), findings)
        }
    }

    /// Removes the folders that were set aside, after other work on the folders: they may hold
    /// hundreds of files.
    private func clean() {
        for number in instances.map(\.number) { inTurn(number) { await $0.clean(number) } }
    }

    /// Removes the remains of moves and changes from an instance's folders.
    func clean(_ number: InstanceNumber) async {
        let state = instance(number).state
        await attempt("cleaning the folders of instance: \(number)") { try state.clean() }
    }

    /// Carries out a command. It returns with the decision, not when the effect is complete.
    /// - Parameter caller: who asked for it, for the history.
    package func perform(
        _ command: EngineCommand, askedBy caller: String? = nil
    ) async -> CommandResult {
        guard engine != nil, !isDetached, !hasFinished else {
            return .refused("deployex is starting or stopping: try again")
        }
        nextCommand += 1
        let id = nextCommand
        return await withCheckedContinuation { continuation in
            commands[id] = continuation
            tell(.commanded(id, command, by: caller))
        }
    }

    /// Stops every instance and every other program; returns when nothing runs any more, or the
    /// deployer is detached. A deployer that has not begun does not begin any more.
    package func stopAll() async {
        guard engine != nil, !isDetached else {
            isDetached = true
            return
        }
        tell(.shutdownRequested)
        await programs.stop()
        await withCheckedContinuation {
            // Looked at here, as something else may run before this closure does.
            if hasFinished || isDetached { $0.resume() } else { finishWaiters.append($0) }
        }
    }

    /// Makes no more decisions; the instances go on. Returns when no folder is being changed, or
    /// after five seconds. The next start completes or undoes a change that is cut off then.
    package func detach() async {
        isDetached = true
        timer?.cancel()
        for (_, continuation) in commands { continuation.resume(returning: Self.detached) }
        commands = [:]
        endWaits()
        let work = (instances.map(\.folderWork) + [saving]).compactMap { $0 }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for task in work { await task.value } }
            let loop = loop
            group.addTask { await loop.sleep(for: .seconds(5)) }
            await group.next()
            group.cancelAll()
        }
    }

    private static let detached = CommandResult.refused(
        "deployex is stopping; the instances go on running")

    /// The store says that the catalog may have changed.
    package func catalogAnnounced() {
        tell(.catalogAnnounced)
    }

    /// The store says that a package may have come.
    package func packagesAnnounced() {
        tell(.packagesAnnounced)
    }

    /// The connection to an instance's node is up.
    package func connected(_ number: InstanceNumber, creation: UInt32) {
        guard instances.indices.contains(number.offset) else { return }
        tell(.connected(number, creation: creation))
    }

    /// The connection to an instance's node was lost.
    package func disconnected(_ number: InstanceNumber) {
        guard instances.indices.contains(number.offset) else { return }
        tell(.disconnected(number))
    }

    package var snapshot: ApplicationSnapshot? { engine?.snapshot }

    /// The files of the application's releases.
    package nonisolated var files: any FileSystem { effects.files }

    /// What is known of a release, or of the last publication of a version; and whether the store's
    /// package of that version may hold it.
    package func publication(
        _ id: ReleaseID?, of version: String
    ) -> (release: Release?, isInStore: Bool) {
        guard let record = latestRecord else { return (nil, true) }
        guard let id else { return (record.publication(of: version), true) }
        let known = record.published + record.good + [record.pinned].compactMap { $0 }
        return (known.first { $0.id == id }, record.isInStore(id))
    }

    /// Recognises the sockets of an instance's processes; `nil` when there are none, or no such
    /// instance.
    package func sockets(ofInstance number: InstanceNumber) -> SessionSockets? {
        instances.first { $0.number == number }?.session?.sockets
    }

    // MARK: Events and actions

    func tell(_ event: EngineEvent) {
        guard !isDetached, var engine = engine.take() else { return }
        let actions = engine.handle(event, now: loop.now)
        self.engine = engine
        effects.onDecision?(event, actions)
        perform(actions)
    }

    private func perform(_ actions: [EngineAction]) {
        timer?.cancel()
        timer = engine?.nextDeadline.map { deadline in
            loop.schedule(at: deadline) { self.assumeIsolated { $0.tell(.timePassed) } }
        }
        for action in actions { perform(action) }
        if let onChange = effects.onChange, let snapshot { onChange(snapshot) }
    }

    private func perform(_ action: EngineAction) {
        switch action {
        case .log(let level, let text): log(level, text)
        case .reply(let id, let result):
            commands.removeValue(forKey: id)?.resume(returning: result)
        case .save(let record): save(record)
        case .note(let number, let note): begin { await $0.write(note, of: number) }
        case .readCatalog: begin { await $0.readCatalog() }
        case .readLogTail(let number, let id): begin { await $0.readLogTail(number, id) }
        case .logCrash(let number, let text): begin { await $0.logCrash(text, of: number) }
        case .stage(let number, let release, let running):
            inTurn(number) { await $0.stage(number, release, running: running) }
        case .runPreCommands(let number, let release):
            inTurn(number) { await $0.runPreCommands(number, release) }
        case .discardStaged(let number):
            inTurn(number) { await $0.discardStaged(number) }
        case .promote(let number, let release):
            inTurn(number) { await $0.promote(number, release) }
        case .revert(let number, let id):
            inTurn(number) { await $0.revert(number, to: id) }
        case .hotUpgrade(let number, let from, let release):
            inTurn(number) { await $0.hotUpgrade(number, from: from, to: release) }
        case .resumeHotUpgrade(let number, let from, let release):
            inTurn(number) {
                await $0.hotUpgrade(number, from: from, to: release, isResumed: true)
            }
        case .spawn(let number, _):
            // Out of turn: a crashed instance does not wait for the next version's download.
            // `current` moves only while no process is to run.
            begin { await $0.spawn(number) }
        case .terminate(let number): begin { await $0.signal(number) { $0.terminate() } }
        case .killSession(let number):
            begin { deployer in
                let session = deployer.instance(number).session
                await deployer.tellOfConnections(number)
                // Another process may have come meanwhile: the signal is not meant for that one.
                guard deployer.instance(number).session === session else { return }
                await deployer.signal(number) { $0.killSession() }
            }
        case .probe(let number, let run, let kind):
            begin { await $0.probe(number, run: run, kind) }
        case .finish: finish()
        }
    }

    /// Runs `work` concurrently with everything else. Tasks that `work` begins, such as two calls
    /// of a node at the same time, stay on the loop.
    @discardableResult
    func begin(
        _ work: @escaping @Sendable (isolated Deployer) async -> Void
    ) -> Task<Void, Never> {
        Task(executorPreference: loop) { await work(self) }
    }

    /// Runs `work` on an instance's folders after the earlier work there, and after the decisions
    /// are on disk. A staging must not meet the removal of the one before it. After a rollback, a
    /// new start must know of the ghost.
    private func inTurn(
        _ number: InstanceNumber, _ work: @escaping @Sendable (isolated Deployer) async -> Void
    ) {
        let (before, saving) = (instance(number).folderWork, saving)
        instance(number).folderWork = begin { deployer in
            await before?.value
            await saving?.value
            guard !deployer.isDetached else { return }
            await work(deployer)
        }
    }

    func log(_ level: LogLevel, _ text: String) {
        effects.log(level, text)
    }

    private func finish() {
        hasFinished = true
        timer?.cancel()
        endWaits()
    }

    private func endWaits() {
        for waiter in finishWaiters { waiter.resume() }
        finishWaiters = []
    }

    // MARK: The application's record

    /// Writes the latest record, and skips those in between.
    private func save(_ record: ApplicationRecord) {
        unsavedRecord = record
        latestRecord = record
        let before = saving
        saving = begin { deployer in
            await before?.value
            await deployer.writeRecord()
        }
    }

    /// Makes the folders of an instance, and those above them, if somebody has removed them.
    func makeFolders(_ number: InstanceNumber) async throws {
        let (effects, records, state) = (effects, records, instance(number).state)
        let keepers = instances.map(\.keeper)
        let isRecordLost = try await loop.offload { () throws -> Bool in
            try effects.prepareBase?()
            try effects.prepareLogFolder()
            if try effects.files.status(records.path) == nil {
                try records.prepare()
                // Those of the instances that run on have gone as well.
                for keeper in keepers { try keeper.rewrite() }
            }
            let isLost = try effects.files.status(effects.layout.versionFolder) == nil
            for folder in [
                effects.layout.instanceFolder(number), effects.layout.versionFolder(number),
            ] where try effects.files.status(folder) == nil {
                try state.prepare()
            }
            return isLost
        }
        if isRecordLost, let latestRecord { save(latestRecord) }
    }

    private func writeRecord() async {
        guard let record = unsavedRecord.take() else { return }
        let file = ApplicationRecordFile(layout: effects.layout, files: effects.files)
        let isWritten = await attempt("writing \(file.path)") { try file.write(record) }
        guard !isWritten else { return }
        // A newer record has its own turn.
        if unsavedRecord == nil { unsavedRecord = record }
        loop.schedule(after: .seconds(5)) { [self] in
            assumeIsolated { deployer in
                if let record = deployer.unsavedRecord { deployer.save(record) }
            }
        }
    }

    /// Does blocking work whose failure is worth a line in the log but changes nothing. Returns
    /// whether it succeeded.
    @discardableResult
    func attempt(_ what: String, _ body: @escaping @Sendable () throws -> Void) async -> Bool {
        do {
            try await loop.offload(body)
            return true
        } catch {
            log(.error, "\(what): \(error)")
            return false
        }
    }
}
