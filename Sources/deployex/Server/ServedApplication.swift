internal import Deployment
internal import ErlDist
internal import HTTP
internal import Supervisor
internal import Transport

/// One application as the server runs it.
struct ServedApplication: Sendable {
    let configuration: ApplicationConfiguration
    let layout: DeploymentLayout
    let logs: LogFiles
    let storage: ServedStorage
    let deployer: Deployer
    /// The node of an instance of this number, whether it is connected or not.
    let node: @Sendable (InstanceNumber) -> InstanceNode
    /// The keys that its packages must be signed with; `nil` if they need no signature.
    let publicKeys: PublicKeysFile?
    private let ownership: ReleaseOwnership
    /// Why the application is not begun at all. It then counts as failed, whatever its instances
    /// do.
    let refusal: String?
    private let beginning: ApplicationStart
    private let rotator: LogRotator
    private let feed: ObservationFeed
    private let notifier: Notifier?
    private let log: @Sendable (LogLevel, String) -> Void

    /// - Parameters:
    ///   - node: deployex's own node, which watches the instances.
    ///   - naming: how the instances' nodes are named.
    ///   - base: the opened base folder.
    ///   - processes: this host's.
    ///   - refusal: why the application is not begun.
    ///   - inherited: deployex's variables.
    ///   - amazon: for what is published in a bucket.
    ///   - cookie: deployex's cookie.
    ///   - process: the user and the limits of its programs.
    ///   - feed: where its state is published, whenever it changes.
    ///   - notifier: who is told of it.
    ///   - sockets: what its instances inherit.
    init(
        _ configuration: ApplicationConfiguration, of server: ServerConfiguration, node: Node,
        naming: NodeNaming, host: String, base: BaseFolder, processes: SystemProcesses,
        refusal: FileSystemError?, amazon: AmazonAccess?, inherited: [String: String],
        cookie: String, process: ProcessSetting, feed: ObservationFeed,
        notifier: Notifier?, sockets: HeldSockets, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.configuration = configuration
        self.refusal = refusal.map { "\($0); then start deployex again" }
        self.log = log
        let name = configuration.name
        publicKeys = server.publicKeys
        self.feed = feed
        self.notifier = notifier
        beginning = ApplicationStart(loop: loop, log: log) { problem in
            await feed.publish(
                .failed(name, replicas: configuration.replicas, problem: problem))
            await notifier?.isHindered(name, problem)
        }
        layout = DeploymentLayout(basePath: server.basePath, application: name)
        var owners = server.trustedUsers
        if let user = process.user { owners = owners.adding(user.id) }
        logs = LogFiles(root: server.logPath, owners: owners)
        storage = ServedStorage(
            configuration, publishers: server.trustedUsers, amazon: amazon,
            basePath: server.basePath, files: HostFileSystem(below: base.anchor),
            needsSignatures: server.publicKeys != nil, log: log
        ) {
            feed.assumeIsolated { $0.publish(.application(name)) }
        }
        let ownership = ReleaseOwnership(user: process.user)
        self.ownership = ownership
        var engine = EngineConfiguration(
            application: name, replicas: configuration.replicas, timings: configuration.timings,
            readiness: configuration.readiness)
        engine.hotUpgrade = configuration.hotUpgrade
        let instanceNode: @Sendable (InstanceNumber) -> InstanceNode = { number in
            InstanceNode(
                alive: "\(InstanceName(app: name, number: number))", host: host, node: node)
        }
        self.node = instanceNode
        var effects = Deployer.Effects(
            loop: loop, processes: processes, layout: layout, logs: logs,
            instances: InstanceEnvironment(
                firstPort: configuration.firstPort,
                cookie: configuration.readiness.usesDistribution ? cookie : nil,
                naming: naming, user: process.user, extra: configuration.variables),
            inherited: inherited, store: storage.store,
            files: ownership.files(
                layout, base: HostFileSystem(below: base.anchor),
                publishers: server.trustedUsers),
            process: process, startCommand: configuration.startCommand,
            publicKeys: server.publicKeys, node: instanceNode,
            log: log)
        effects.foreignVariables = ProcessEnvironment.foreign
        effects.onChange = { snapshot in
            feed.assumeIsolated { $0.publish(snapshot) }
            notifier?.assumeIsolated { $0.changed(snapshot) }
        }
        effects.checkRelease = { folder in
            if let objection = try ownership.objection(to: folder) { throw SpawnError(objection) }
        }
        if let http = configuration.httpCheck {
            let firstPort = configuration.firstPort
            effects.checkReadiness = { number, port in
                await Self.check(
                    http, port: port ?? firstPort + UInt16(number.offset), loop: loop)
            }
        }
        if !configuration.listening.isEmpty {
            effects.sockets = { try await sockets.sockets(of: $0, application: name) }
            let listening = configuration.listening
            effects.connectionCount = { number, held in
                let addresses = listening.map { $0.address(of: number) }
                // A figure for the log: without it the log says nothing.
                return try? await offload { () throws(SystemError) in
                    try AcceptedConnections.count(at: addresses, of: held)
                }
            }
        }
        effects.prepareBase = { try base.renew(for: name) }
        if let user = process.user {
            let logs = logs
            effects.prepareLogFolder = {
                try logs.prepare(app: name)
                // An obstacle is reported at the start; without this folder only crash dumps are
                // lost.
                _ = try logs.prepareCrashDumps(app: name, user: user)
            }
        }
        let rotator = LogRotator(logs: logs, limits: configuration.logLimits, loop: loop) {
            switch $0 {
            case .warning(let text): log(.warning, text)
            case .info(let text): log(.info, text)
            }
        }
        effects.prepareLogs = { await rotator.prepareForStart($0) }
        effects.finishLogs = { await rotator.ended($0) }
        self.rotator = rotator
        deployer = Deployer(configuration: engine, effects: effects)
    }

    /// Whether an instance answers a request for the configured path with 2xx.
    private static func check(
        _ http: ApplicationConfiguration.HTTPCheck, port: UInt16, loop: EventLoop
    ) async -> ProbeResult {
        do throws(HTTPError) {
            let response = try await HTTPClient(loop: loop).get(
                .loopback(port: port), host: "127.0.0.1:\(port)", path: http.path,
                within: http.timeout)
            guard response.isSuccess else {
                return .notReady("\(http.path) answers with status \(response.status)")
            }
            return .ready
        } catch {
            return .notReady("\(error)")
        }
    }

    // MARK: Life

    /// Takes over running instances, and begins. Returns when that has succeeded or the task is
    /// cancelled.
    func start() async {
        if let refusal {
            await feed.publish(
                .failed(
                    configuration.name, replicas: configuration.replicas, problem: refusal))
            await notifier?.isHindered(configuration.name, refusal)
            return log(.error, "Application is not begun: \(refusal)")
        }
        await rotator.setInstances(
            InstanceNumber.first(configuration.replicas).map {
                InstanceName(app: configuration.name, number: $0)
            })
        await rotator.start()
        await prepareUser()
        await beginning.run { try await deployer.start() }
    }

    /// Returns when the first attempt to begin has ended, well or not.
    func firstAttemptEnded() async {
        if refusal == nil { await beginning.firstAttemptEnded() }
    }

    /// Why the application has not begun; `nil` while no reason is known.
    var problem: String? { refusal ?? beginning.problem }

    /// Whether its first attempt to begin is under way.
    var isBeginning: Bool {
        get async {
            guard problem == nil else { return false }
            return await !deployer.hasEngine
        }
    }

    /// Gives the application's user what belongs to that user: releases that were unpacked before
    /// the application had a user, and a place for crash dumps.
    private func prepareUser() async {
        guard let user = ownership.user else { return }
        let (ownership, layout, logs, name) = (ownership, layout, logs, configuration.name)
        let numbers = InstanceNumber.first(configuration.replicas)
        do {
            let obstacle = try await offload {
                for number in numbers {
                    for folder in [layout.current(number), layout.previous(number)] {
                        try ownership.handOver(folder)
                    }
                }
                return try logs.prepareCrashDumps(app: name, user: user)
            }
            if let obstacle { log(.warning, "\(obstacle): crash dumps are lost") }
        } catch {
            // A release that has not become the user's is not started; the other applications are.
            log(.error, "giving \(user.name) what is of \(name): \(error)")
        }
    }

    /// Lets go of the instances. They continue unless they have been stopped.
    func detach() async {
        await deployer.detach()
        await rotator.stop()
    }

    /// Tells the deployer at once when the store may have another release, or a package that was
    /// missing.
    func watchStore(on loop: EventLoop) -> [StoreWatcher] {
        guard let store = storage.folder else { return [] }
        let (deployer, log) = (deployer, log)
        return [
            StoreWatcher(
                of: store, loop: loop,
                onChange: { Task { await deployer.catalogAnnounced() } },
                onFailure: { error in
                    log(
                        .warning,
                        "\(error): changes are noticed at the next poll instead of at once")
                }),
            StoreWatcher(
                .packages, of: store, loop: loop,
                onChange: { Task { await deployer.packagesAnnounced() } },
                onFailure: { error in
                    log(
                        .warning,
                        "\(error): a package that comes late is noticed at the next attempt")
                }),
        ]
    }
}
