package import ErlDist
package import Supervisor
package import Transport

/// Carries out what the ``DeploymentEngine`` decides for one application, and tells it what happened.
///
/// It decides nothing itself. Whatever blocks runs elsewhere; each action that takes time is a task
/// that ends with an event. It may end at any moment, by ``detach()`` or without: what it starts next
/// time goes on from what is on disk and what runs.
package actor Deployer {
    /// What a deployer works with.
    package struct Environment: Sendable {
        package var layout: DeploymentLayout
        package var logs: LogFiles
        /// What the instances' processes get.
        package var instances: InstanceEnvironment
        /// deployex's own variables, which they inherit in part.
        package var inherited: [String: String]
        package var store: any ReleaseStore
        package var files: any FileSystem
        /// As whom and within which limits a release's programs run.
        package var process = ProcessSetting()
        /// Awaited before a release is started; throws why it must not be. It blocks.
        package var checkRelease: (@Sendable (_ folder: String) throws -> Void)?
        /// The node of an instance, by number.
        package var node: @Sendable (Int) -> any RemoteNode
        /// What an instance must show beside its node to be ready, such as an answer by HTTP.
        package var checkReadiness: (@Sendable (Int) async -> Readiness)?
        /// Awaited before an instance is started, when nothing writes to its logs.
        package var prepareLogs: (@Sendable (InstanceName) async -> Void)?
        /// Called after each event, on the loop's thread.
        package var onChange: (@Sendable (ApplicationSnapshot) -> Void)?
        /// Called on the loop's thread.
        package var log: @Sendable (LogLevel, String) -> Void

        package init(
            layout: DeploymentLayout, logs: LogFiles, instances: InstanceEnvironment,
            inherited: [String: String], store: any ReleaseStore, files: any FileSystem,
            node: @escaping @Sendable (Int) -> any RemoteNode,
            log: @escaping @Sendable (LogLevel, String) -> Void
        ) {
            self.layout = layout
            self.logs = logs
            self.instances = instances
            self.inherited = inherited
            self.store = store
            self.files = files
            self.node = node
            self.log = log
        }
    }

    nonisolated let loop: EventLoop
    let configuration: EngineConfiguration
    let environment: Environment
    let records: InstanceRecordFolder
    let states: [InstanceState]
    var keepers: [InstanceRecordKeeper] = []
    private var engine: DeploymentEngine?
    var sessions: [Int: ProcessSession] = [:]
    /// What became of adopted processes before there was an engine to tell: such a process may have
    /// been ending already.
    var untold: [(number: Int, event: ProcessSession.Event)] = []
    /// The latest work on each instance's folders.
    private var folderWork: [Int: Task<Void, Never>] = [:]
    /// The packages behind what is staged; a hot upgrade hands them to the node.
    var packages: [Int: LocalPackage] = [:]
    /// The log says once that nothing is published.
    var hasToldOfWaiting = false
    private var timer: LoopTimer?
    private var hasFinished = false
    private var isDetached = false
    private var finishWaiters: [CheckedContinuation<Void, Never>] = []
    private var commands: [UInt64: CheckedContinuation<CommandResult, Never>] = [:]
    private var nextCommand: UInt64 = 0
    /// The application's record as it is to be on disk, and whether it is being written.
    private var unsavedRecord: ApplicationRecord?
    private var saving: Task<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(
        configuration: EngineConfiguration, environment: Environment, loop: EventLoop
    ) {
        self.configuration = configuration
        self.environment = environment
        self.loop = loop
        records = InstanceRecordFolder(
            base: environment.layout.basePath, fileSystem: environment.files)
        states = (1...configuration.replicas).map { number in
            InstanceState(
                layout: environment.layout, instance: number, files: environment.files)
        }
    }

    var application: String { configuration.application }
    func name(_ number: Int) -> InstanceName { InstanceName(app: application, index: number) }

    // MARK: Life

    /// Prepares the folders, takes over what an earlier deployex left running, completes or undoes what
    /// it was doing, and begins.
    ///
    /// The base folder exists and is held by this process alone. After ``detach()`` it does nothing.
    /// - Throws: `FileSystemError` when the state on disk cannot be used. It may be tried again then.
    package func start() async throws {
        precondition(engine == nil, "A deployer starts once")
        guard !isDetached else { return }
        let (environment, records, states, application) = (
            environment, records, states, application
        )
        try await offload {
            try records.prepare()
            try environment.logs.prepare(app: application)
            for state in states { try state.prepare() }
        }
        try await stopLeftovers()
        var found: [DeploymentEngine.Found] = []
        keepers = []
        for number in 1...configuration.replicas { found.append(try await find(number)) }
        let (record, findings) = try await readRecord()
        for finding in findings { environment.log(.warning, finding) }
        guard !isDetached else { return }
        var engine = DeploymentEngine(
            configuration: configuration, record: record, found: found, now: .now,
            seconds: Self.secondsSince1970)
        let actions = engine.start(found, now: .now)
        self.engine = engine
        perform(actions)
        for (number, event) in untold { received(event, from: number) }
        untold = []
        clean()
    }

    /// Whether it has begun.
    package var hasEngine: Bool { engine != nil }

    private func readRecord() async throws -> (ApplicationRecord, [String]) {
        let file = ApplicationRecordFile(layout: environment.layout, files: environment.files)
        return try await offload {
            var findings: [String] = []
            let record = try file.read(findings: &findings)
            return (record ?? ApplicationRecord(), findings)
        }
    }

    /// What was set aside is removed behind the work on the folders: it may be hundreds of files.
    private func clean() {
        for number in 1...configuration.replicas {
            inTurn(number) { deployer in
                let state = deployer.states[number - 1]
                await deployer.attempt("cleaning the folders of instance: \(number)") {
                    try state.clean()
                }
            }
        }
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

    /// Stops every instance; returns when nothing runs any more. One that has not begun does not begin.
    package func stopAll() async {
        guard engine != nil, !isDetached else {
            isDetached = true
            return
        }
        tell(.shutdownRequested)
        guard !hasFinished else { return }
        await withCheckedContinuation { finishWaiters.append($0) }
    }

    /// Decides nothing any more; the instances go on. Returns when no folder is being changed, or after
    /// five seconds: what is cut off then is completed or undone by the next start.
    package func detach() async {
        isDetached = true
        timer?.cancel()
        for (_, continuation) in commands { continuation.resume(returning: Self.detached) }
        commands = [:]
        let work = Array(folderWork.values) + [saving].compactMap { $0 }
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
    package func connected(_ number: Int, creation: UInt32) {
        guard (1...configuration.replicas).contains(number) else { return }
        tell(.connected(number, creation: creation))
    }

    /// The connection to an instance's node was lost.
    package func disconnected(_ number: Int) {
        guard (1...configuration.replicas).contains(number) else { return }
        tell(.disconnected(number))
    }

    package var snapshot: ApplicationSnapshot? { engine?.snapshot }

    // MARK: Events and actions

    func tell(_ event: EngineEvent) {
        guard !isDetached, var engine = engine.take() else { return }
        let actions = engine.handle(event, now: .now)
        self.engine = engine
        perform(actions)
    }

    private func perform(_ actions: [EngineAction]) {
        timer?.cancel()
        timer = engine?.nextDeadline.map { deadline in
            loop.schedule(at: deadline) { self.assumeIsolated { $0.tell(.timePassed) } }
        }
        for action in actions { perform(action) }
        if let snapshot { environment.onChange?(snapshot) }
    }

    private func perform(_ action: EngineAction) {
        switch action {
        case .log(let level, let text): log(level, text)
        case .reply(let id, let result):
            commands.removeValue(forKey: id)?.resume(returning: result)
        case .save(let record): save(record)
        case .note(let number, let note):
            Task { await write(note, of: number) }
        case .readCatalog: Task { await readCatalog() }
        case .readLogTail(let number, let id): Task { await readLogTail(number, id) }
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
            Task { await spawn(number) }
        case .terminate(let number): Task { await signal(number) { $0.terminate() } }
        case .killSession(let number): Task { await signal(number) { $0.killSession() } }
        case .probe(let number, let run, let kind):
            Task { await probe(number, run: run, kind) }
        case .finish: finish()
        }
    }

    /// Runs `work` on an instance's folders after what was begun there before, and after what has been
    /// decided is on disk: a staging must not meet the removal of the one before it, nor a rollback a
    /// start that knows nothing of the ghost.
    private func inTurn(
        _ number: Int, _ work: @escaping @Sendable (isolated Deployer) async -> Void
    ) {
        let (before, saving) = (folderWork[number], saving)
        folderWork[number] = Task {
            await before?.value
            await saving?.value
            guard !isDetached else { return }
            await work(self)
        }
    }

    func log(_ level: LogLevel, _ text: String) {
        environment.log(level, text)
    }

    private func finish() {
        hasFinished = true
        timer?.cancel()
        let waiters = finishWaiters
        finishWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: The application's record

    /// Writes the latest record; those in between are skipped.
    private func save(_ record: ApplicationRecord) {
        unsavedRecord = record
        let before = saving
        saving = Task {
            await before?.value
            await writeRecord()
        }
    }

    private func writeRecord() async {
        guard let record = unsavedRecord.take() else { return }
        let file = ApplicationRecordFile(layout: environment.layout, files: environment.files)
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
            try await offload(body)
            return true
        } catch {
            log(.error, "\(what): \(error)")
            return false
        }
    }
}
