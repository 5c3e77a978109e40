internal import ErlDist
package import Supervisor
internal import Transport

/// Carries out what the ``DeploymentEngine`` decides for one application, and tells it what happened.
///
/// It decides nothing itself. Whatever blocks runs elsewhere; each action that takes time is a task
/// that ends with an event. It may end at any moment, by ``detach()`` or without: what it starts next
/// time goes on from what is on disk and what runs.
package actor Deployer {
    nonisolated let effects: Effects
    nonisolated var loop: any SerialLoop { effects.loop }
    let configuration: EngineConfiguration
    let records: InstanceRecordFolder
    /// In the order of their numbers.
    private let instances: [DrivenInstance]
    let programs: Programs
    private var engine: DeploymentEngine?
    /// What became of adopted processes before there was an engine to tell: such a process may have
    /// been ending already.
    var untold: [(number: InstanceNumber, event: ProcessSession.Event)] = []
    /// The log says once that nothing is published.
    var hasToldOfWaiting = false
    private var timer: LoopTimer?
    private var hasFinished = false
    private var isDetached = false
    private var finishWaiters: [CheckedContinuation<Void, Never>] = []
    private var commands: [UInt64: CheckedContinuation<CommandResult, Never>] = [:]
    private var nextCommand: UInt64 = 0
    /// The application's record as it is to be on disk, and the task that writes it.
    private var unsavedRecord: ApplicationRecord?
    /// As it was to be on disk last.
    private var latestRecord: ApplicationRecord?
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

    /// Prepares the folders, takes over what an earlier deployex left running, completes or undoes what
    /// it was doing, and begins.
    ///
    /// The base folder exists and is held by this process alone. After ``detach()`` it does nothing.
    /// - Throws: `FileSystemError` when the state on disk cannot be used. It may be tried again then.
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

    /// What was set aside is removed behind the work on the folders: it may be hundreds of files.
    private func clean() {
        for number in instances.map(\.number) { inTurn(number) { await $0.clean(number) } }
    }

    /// Removes what moves and changes have left in an instance's folders.
    func clean(_ number: InstanceNumber) async {
        let state = instance(number).state
        await attempt("cleaning the folders of instance: \(number)") { try state.clean() }
    }

    /// Carries out a command. It returns when it is decided, not when its effect is complete.
    package func perform(_ command: EngineCommand) async -> CommandResult {
        guard engine != nil, !isDetached, !hasFinished else {
            return .refused("deployex is starting or stopping: try again")
        }
        nextCommand += 1
        let id = nextCommand
        return await withCheckedContinuation { continuation in
            commands[id] = continuation
            tell(.commanded(id, command))
        }
    }

    /// Stops every instance, and what else runs; returns when nothing runs any more, or the deployer is
    /// detached. One that has not begun does not begin.
    package func stopAll() async {
        guard engine != nil, !isDetached else {
            isDetached = true
            return
        }
        tell(.shutdownRequested)
        await programs.stop()
        guard !hasFinished, !isDetached else { return }
        await withCheckedContinuation { finishWaiters.append($0) }
    }

    /// Decides nothing any more; the instances go on. Returns when no folder is being changed, or after
    /// five seconds: what is cut off then is completed or undone by the next start.
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

    /// How to tell the sockets of an instance's processes; `nil` when there are none, or no such instance.
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
            // Not in turn: a crashed instance does not wait for the next version's download. `current`
            // is moved only while nothing is to run.
            begin { await $0.spawn(number) }
        case .terminate(let number): begin { await $0.signal(number) { $0.terminate() } }
        case .killSession(let number): begin { await $0.signal(number) { $0.killSession() } }
        case .probe(let number, let run, let kind):
            begin { await $0.probe(number, run: run, kind) }
        case .finish: finish()
        }
    }

    /// Runs `work` beside everything else. What that begins at the same time, such as two calls of a
    /// node, stays on the loop.
    @discardableResult
    func begin(
        _ work: @escaping @Sendable (isolated Deployer) async -> Void
    ) -> Task<Void, Never> {
        Task(executorPreference: loop) { await work(self) }
    }

    /// Runs `work` on an instance's folders after what was begun there before, and after what has been
    /// decided is on disk: a staging must not meet the removal of the one before it, nor a rollback a
    /// start that knows nothing of the ghost.
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

    /// Writes the latest record; those in between are skipped.
    private func save(_ record: ApplicationRecord) {
        unsavedRecord = record
        latestRecord = record
        let before = saving
        saving = begin { deployer in
            await before?.value
            await deployer.writeRecord()
        }
    }

    /// Makes the folders of an instance, and what is above them, where somebody has removed them.
    func makeFolders(_ number: InstanceNumber) async throws {
        let (effects, records, state) = (effects, records, instance(number).state)
        let isRecordLost = try await loop.offload { () throws -> Bool in
            try effects.prepareBase?()
            try effects.prepareLogFolder()
            if try effects.files.status(records.path) == nil { try records.prepare() }
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
        // A newer one has its own turn.
        if unsavedRecord == nil { unsavedRecord = record }
        loop.schedule(after: .seconds(5)) { [self] in
            assumeIsolated { deployer in
                if let record = deployer.unsavedRecord { deployer.save(record) }
            }
        }
    }

    /// Blocking work whose failure is worth a line but changes nothing. Whether it succeeded.
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
