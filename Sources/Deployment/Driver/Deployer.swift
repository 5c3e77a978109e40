package import ErlDist
package import Supervisor
package import Transport

/// Carries out what the ``DeploymentEngine`` decides for one application, and tells it what happened.
///
/// It decides nothing itself. Whatever blocks runs elsewhere; each action that takes time is a task
/// that ends with an event.
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
        /// The node of an instance, by number.
        package var node: @Sendable (Int) -> any RemoteNode
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

    private nonisolated let loop: EventLoop
    private let configuration: EngineConfiguration
    private let environment: Environment
    private let records: InstanceRecordFolder
    private let states: [InstanceState]
    private var engine: DeploymentEngine?
    private var sessions: [Int: ProcessSession] = [:]
    /// The latest work on each instance's folders.
    private var folderWork: [Int: Task<Void, Never>] = [:]
    /// The packages behind what is staged; a hot upgrade hands them to the node.
    private var packages: [Int: LocalPackage] = [:]
    /// The log says once that nothing is published.
    private var hasToldOfWaiting = false
    private var timer: LoopTimer?
    private var hasFinished = false
    private var finishWaiters: [CheckedContinuation<Void, Never>] = []

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

    private var application: String { configuration.application }

    // MARK: Life

    /// Prepares the folders, stops what an earlier run left, finds out what is deployed, and begins.
    ///
    /// The base folder exists and is held by this process alone.
    /// - Throws: `FileSystemError` when the state on disk cannot be used.
    package func start() async throws {
        precondition(engine == nil, "A deployer starts once")
        let (environment, records, states, application) = (
            environment, records, states, application
        )
        try await offload {
            try records.prepare()
            try environment.logs.prepare(app: application, fileSystem: environment.files)
            for state in states { try state.prepare() }
        }
        try await stopLeftovers()
        let found = try await offload { try states.map { try $0.find() } }
        for finding in found.flatMap(\.findings) { environment.log(.warning, finding) }
        var engine = DeploymentEngine(
            configuration: configuration,
            found: found.map { .init(current: $0.current, previous: $0.previous) }, now: .now)
        let actions = engine.start(now: .now)
        self.engine = engine
        perform(actions)
    }

    /// Stops every instance; returns when nothing runs any more.
    package func stop() async {
        guard engine != nil else { return }
        tell(.shutdownRequested)
        guard !hasFinished else { return }
        await withCheckedContinuation { finishWaiters.append($0) }
    }

    /// The store says that the catalog may have changed.
    package func catalogAnnounced() {
        tell(.catalogAnnounced)
    }

    /// The connection to an instance's node was lost.
    package func disconnected(_ number: Int) {
        guard (1...configuration.replicas).contains(number) else { return }
        tell(.disconnected(number))
    }

    package var snapshot: ApplicationSnapshot? { engine?.snapshot }

    /// Ends what a killed run left behind, known by the recorded identity and nothing else.
    private func stopLeftovers() async throws {
        let (records, application) = (records, application)
        let names = try await offload { try records.names().filter { $0.app == application } }
        for name in names {
            switch try await offload({ try records.read(name) }) {
            case .absent:
                continue
            case .damaged(let path, let reason):
                log(.warning, "The record of \(name) is damaged (\(reason)): kept as \(path)")
                continue
            case .found(let record):
                let outcome = try await LeftoverSession.stop(
                    record.process, timeout: configuration.timings.stopTimeout, on: loop)
                if outcome != .notRunning {
                    log(
                        .warning,
                        "Instance: \(name.index) still ran from an earlier start as OS process "
                            + "\(record.process.pid): stopped")
                }
            }
            try await offload { try records.remove(name) }
        }
    }

    // MARK: Events and actions

    private func tell(_ event: EngineEvent) {
        guard var engine = engine.take() else { return }
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
    }

    private func perform(_ action: EngineAction) {
        switch action {
        case .log(let level, let text): log(level, text)
        case .readCatalog: Task { await readCatalog() }
        case .stage(let number, let release, let running):
            inTurn(number) { await $0.stage(number, release, running: running) }
        case .discardStaged(let number):
            inTurn(number) { await $0.discardStaged(number) }
        case .promote(let number, let release):
            inTurn(number) { await $0.promote(number, release) }
        case .hotUpgrade(let number, let from, let release):
            inTurn(number) { await $0.hotUpgrade(number, from: from, to: release) }
        case .spawn(let number, _): Task { await spawn(number) }
        case .terminate(let number): sessions[number]?.terminate()
        case .killSession(let number): sessions[number]?.killSession()
        case .probe(let number, let run): Task { await probe(number, run: run) }
        case .finish: finish()
        }
    }

    /// Runs `work` on an instance's folders after what was begun there before: a staging must not
    /// meet the removal of the one before it.
    private func inTurn(
        _ number: Int, _ work: @escaping @Sendable (isolated Deployer) async -> Void
    ) {
        let before = folderWork[number]
        folderWork[number] = Task {
            await before?.value
            await work(self)
        }
    }

    private func log(_ level: LogLevel, _ text: String) {
        environment.log(level, text)
    }

    private func finish() {
        hasFinished = true
        timer?.cancel()
        let waiters = finishWaiters
        finishWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Releases

    private func readCatalog() async {
        do throws(StoreError) {
            let release = try await environment.store.current()
            if release == nil, !hasToldOfWaiting {
                log(.info, "No version is published yet: waiting for \(environment.store.catalog)")
            }
            hasToldOfWaiting = release == nil
            tell(.catalogRead(release))
        } catch {
            tell(.catalogReadFailed("\(error)"))
        }
    }

    private func stage(_ number: Int, _ release: Release, running: String?) async {
        let layout = environment.layout
        let begin = MonotonicTime.now
        do {
            let package = try await environment.store.package(
                of: release, into: layout.instanceFolder(number))
            packages[number] = package
            let summary = try await PackageUnpacker(files: environment.files).unpack(
                package.path, into: layout.new(number), application: application,
                version: release.version)
            log(
                .info,
                "Unpacked \(package.path): \(summary.entryCount) entries, "
                    + "\(summary.byteCount >> 20) MiB in \(Self.text(MonotonicTime.now - begin))")
        } catch {
            await discardStaged(number)
            return tell(.stagingFailed(number, release, reason: "\(error)"))
        }
        let isConnected = snapshot?.instances[number - 1].isConnected ?? false
        let decision = await HotUpgrade.decide(
            .init(version: running, isConnected: isConnected), name: application,
            version: release.version, current: layout.current(number),
            staged: layout.new(number), files: environment.files)
        tell(.staged(number, release, decision))
    }

    /// Removes what is left of a staging that is over.
    private func discardStaged(_ number: Int) async {
        let (state, files) = (states[number - 1], environment.files)
        let package = packages.removeValue(forKey: number)
        await attempt("removing what was staged for instance: \(number)") {
            try state.discardStaged()
            if let package, package.isTemporary { try files.removeFile(package.path) }
        }
    }

    private func promote(_ number: Int, _ release: Release) async {
        let state = states[number - 1]
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        do {
            try await offload { try state.promote(to: deployed) }
        } catch {
            // It may have failed after the folders had changed places: what stands there decides.
            let standing = try? await offload { try state.find().current?.version }
            guard standing == release.version else {
                return tell(.promotionFailed(number, release, reason: "\(error)"))
            }
            log(.error, "deploying \(release.version) at instance: \(number): \(error)")
        }
        await discardStaged(number)
        tell(.promoted(number, release))
    }

    private func hotUpgrade(_ number: Int, from: String, to release: Release) async {
        let (layout, files) = (environment.layout, environment.files)
        let state = states[number - 1]
        guard let package = packages[number] else {
            preconditionFailure("A hot upgrade follows its staging")
        }
        let runner = ProgramRunner(folder: records.path, files: files, loop: loop)
        let outcome = await HotUpgrade.run(
            .init(name: application, from: from, to: release.version),
            on: environment.node(number),
            files: HotUpgradeFiles(
                current: layout.current(number), staged: layout.new(number),
                package: package.path, files: files),
            evaluation: .init(environment: variables(number)) { [self] in
                try await run(runner, $0, $1, environment: $2, timeout: $3)
            },
            log: environment.log)
        if case .failed(let reason, _) = outcome {
            return tell(.hotUpgradeFailed(number, release, reason: reason))
        }
        let replaced = snapshot?.instances[number - 1].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        await attempt("recording the hot upgrade of instance: \(number)") {
            try state.recordHotUpgrade(to: deployed, from: replaced)
        }
        await discardStaged(number)
        tell(.hotUpgraded(number, release))
    }

    /// On the loop, as ``ProgramRunner`` wants it.
    private func run(
        _ runner: ProgramRunner, _ path: String, _ arguments: [String],
        environment: [String: String], timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        try await runner.run(path, arguments, environment: environment, timeout: timeout)
    }

    /// Blocking work whose failure is worth a line but changes nothing.
    private func attempt(_ what: String, _ body: @escaping @Sendable () throws -> Void) async {
        do {
            try await offload(body)
        } catch {
            log(.error, "\(what): \(error)")
        }
    }

    // MARK: Processes

    private func spawn(_ number: Int) async {
        let (layout, files, records) = (environment.layout, environment.files, records)
        let application = application
        let name = InstanceName(app: application, index: number)
        let instance = snapshot?.instances[number - 1]
        let version = instance?.current?.version
        let restarts = InstanceMachine.Restarts(
            crash: instance?.crashRestarts ?? 0, forced: instance?.forcedRestarts ?? 0)
        let program = Program(
            path: layout.program(number), arguments: ["start"], environment: variables(number),
            folder: layout.current(number),
            stdoutPath: environment.logs.path(name, .stdout),
            stderrPath: environment.logs.path(name, .stderr))
        log(.info, " # Starting \(program.path)...")
        await attempt("preparing \(layout.current(number))") {
            try HotUpgradeFiles.restorePristineConfiguration(
                layout.current(number), files: files)
            try ReleasesFile.write(for: layout.current(number), name: application, files: files)
        }
        do {
            let session = try await ProcessSession.start(
                program, on: loop,
                record: { identity in
                    try records.write(
                        InstanceRecord(
                            name: name, process: identity, version: version, restarts: restarts))
                },
                onEvent: { event in
                    self.assumeIsolated { $0.received(event, from: number) }
                })
            sessions[number] = session
            tell(.spawned(number, session.identity))
        } catch {
            tell(.spawnFailed(number, reason: "\(error)"))
        }
    }

    private func received(_ event: ProcessSession.Event, from number: Int) {
        switch event {
        case .exited(let exit):
            tell(.exited(number, exit))
        case .ended(let survivors):
            if survivors > 0 {
                log(
                    .error,
                    "Instance: \(number) left \(survivors) processes that SIGKILL does not end")
            }
            sessions[number] = nil
            Task { await forget(number) }
        }
    }

    /// The record goes before the next start may write its own.
    private func forget(_ number: Int) async {
        let records = records
        let name = InstanceName(app: application, index: number)
        await attempt("removing the record of \(name)") { try records.remove(name) }
        tell(.sessionEnded(number))
    }

    private func probe(_ number: Int, run: Int) async {
        let probe = HealthProbe(node: environment.node(number), timeout: .seconds(5))
        let readiness = await probe.readiness(of: application)
        tell(.probed(number, run: run, readiness))
    }

    private func variables(_ number: Int) -> [String: String] {
        var variables = environment.instances.variables(
            instance: number, inherited: environment.inherited)
        if variables["ERL_CRASH_DUMP"] == nil {
            // By default it would land in the release's folder and go with it.
            let name = InstanceName(app: application, index: number)
            let folder = environment.logs.folder(app: application)
            variables["ERL_CRASH_DUMP"] = "\(folder)/\(name)-erl_crash.dump"
        }
        return variables
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = Int((duration.inSeconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
