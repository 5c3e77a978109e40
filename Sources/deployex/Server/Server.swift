internal import Dashboard
internal import Deployment
internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import FoundationEssentials
internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex start`: the node, a deployer for each application, and what connects them.
actor Server {
    private nonisolated let loop: EventLoop
    private let configuration: ServerConfiguration
    private let usesIPv6: Bool
    private let environment: [String: String]
    private let secrets: StartSecrets
    private let commandLine: DistributionOptions
    /// For what is published in buckets; `nil` if nothing is.
    private let amazon: AmazonAccess?
    private let notifier: Notifier
    private let conditions: StartConditions
    private let name: NodeName
    /// How the instances' nodes are named.
    private let naming: NodeNaming
    private var cookie: String
    private let cookieOrigin: StartCookie.Origin
    private let recordedTLS: NodeRecord.TLS?
    /// What is left for the commands, once the base folder is locked.
    private var record: NodeRecord?
    private let tls: DistributionTLS?
    /// Who may do what over HTTP; `nil` if deployex does not listen there.
    private let access: DashboardAccess?
    private let httpTLS: TLSContext?
    private let trust: ListenerTrust
    private let epmd: EPMDClient
    private let directory: InstanceDirectory
    private let instanceTrust: InstanceTrust
    private let console: any ServerLog
    private let manager: ServiceManager
    private let feed: ObservationFeed
    private let descriptors = DescriptorLimit.raised
    private let begin = MonotonicTime.now
    private var phase = Phase.running
    private var signalCount = 0
    private var isReadingSecrets = false
    private var readsSecretsAgain = false
    private var endWaiter: CheckedContinuation<Void, Never>?
    /// The node that asked for `stop --all` and has not taken the answer yet.
    private var answeredNode: NodeName?

    /// Whether the EPMD that deployex has started is to end with it.
    private var endsEPMD = false

    private enum Phase {
        case running
        /// `stop --all`: the applications are being stopped.
        case stoppingAll
        /// The server ends. The applications continue unless they have been stopped.
        case ending
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Checks everything that can be checked before anything is touched.
    init(
        configurationFile: String?, _ options: DistributionOptions, environment: [String: String],
        secrets: StartSecrets, conditions: StartConditions, console: ConsoleLog,
        manager: ServiceManager, loop: EventLoop
    ) async throws(UsageError) {
        self.manager = manager
        self.secrets = secrets
        commandLine = options
        let options = try options.merging(environment)
        usesIPv6 = options.usesIPv6 ?? false
        configuration = try Self.configuration(configurationFile, environment: environment)
        if configuration.showsLogTimes { console.showTimes() }
        for application in configuration.applications {
            try application.checkRights(
                hardLimit: conditions.descriptorHardLimit,
                isProduction: configuration.keepsOwnLog)
        }
        try Self.checkPublicKeys(configuration, console)
        let host = await HostName.current(usesLongNames: options.usesLongNames, on: loop)
        name = try host.nodeName(
            options.name ?? "deployex", usesLongNames: options.usesLongNames)
        naming = options.usesLongNames ? .long(host: name.host) : .short
        let found = try StartCookie(
            options, environment, file: configuration.cookieFile,
            left: NodeRecord.read(in: configuration.basePath))
        cookie = found.text
        cookieOrigin = found.origin
        recordedTLS = try Self.recordedTLS(options, environment)
        tls = try TLSAccess.load(options, environment: environment) { level, text in
            console.log(level, text)
        }
        if let warning = TLSAccess.warning(options, environment: environment) {
            console.log(.warning, warning)
        }
        trust = ListenerTrust(users: configuration.trustedUsers, remedy: CommandTrust.remedy)
        directory = InstanceDirectory(
            configuration.applications.map { .init(name: $0.name, replicas: $0.replicas) })
        instanceTrust = InstanceTrust(configuration.trustedUsers, host: name.host, directory)
        epmd = try EPMDAccess.client(
            environment, loop: loop, trust: trust, ownHost: host.ownHost(and: name.host))
        let dashboard = configuration.dashboard
        let accessSettings = try dashboard.readAccess()
        httpTLS =
            dashboard.isServed
            ? try dashboard.loadTLS { report in
                if case .reloaded = report {
                    console.log(.info, "HTTPS: \(report)")
                } else {
                    console.log(.warning, "HTTPS: \(report)")
                }
            } : nil
        let owners = configuration.trustedUsers
        amazon = try configuration.region.map { (region) throws(UsageError) in
            try AmazonAccess(environment, region: region, owners: owners, loop: loop) {
                console.log(.warning, "AWS credentials: \($0)")
            }
        }
        self.environment = environment
        self.conditions = conditions
        self.console =
            configuration.keepsOwnLog
            ? ProductionLog(
                beside: console, root: configuration.logPath, limits: configuration.logLimits)
            : console
        self.loop = loop
        let log = self.console
        let sinks = try configuration.notifications.readSinks()
        notifier = try Notifier(
            sinks, host: name.host, environment: environment, loop: loop,
            log: { log.log($0, $1) })
        access =
            dashboard.isServed
            ? DashboardAccess(accessSettings, loop: loop, report: { $0.write(to: log) }) : nil
        // Each topic of each of the dashboard's event streams may wait.
        var limits = ObservationRegister.Limits()
        limits.count = 1024
        feed = ObservationFeed(loop: loop, limits: limits)
    }

    private static func checkPublicKeys(
        _ configuration: ServerConfiguration, _ console: ConsoleLog
    ) throws(UsageError) {
        guard let file = configuration.publicKeys else { return }
        do throws(PublicKeysFile.Failure) {
            let keys = try file.read().map(\.description).joined(separator: ", ")
            console.log(.info, "Packages must be signed with the key \(keys) of \(file.path)")
        } catch {
            throw UsageError("\(error)", "start")
        }
    }

    static func configuration(
        _ file: String?, environment: [String: String]
    ) throws(UsageError) -> ServerConfiguration {
        let variable = environment["DEPLOYEX_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        guard let path = file ?? variable else {
            return try ServerConfiguration(environment: environment)
        }
        do throws(UsageError) {
            return try ServerConfiguration(file: .read(path), environment: environment)
        } catch {
            // Without --config it is not plain where the file's name comes from.
            throw file == nil
                ? UsageError("DEPLOYEX_CONFIG: \(error.message)", error.verb) : error
        }
    }

    /// Where TLS is configured, for the commands.
    private static func recordedTLS(
        _ options: DistributionOptions, _ environment: [String: String]
    ) throws(UsageError) -> NodeRecord.TLS? {
        switch try options.tlsSource(
            certificateFolder: environment["DEPLOYEX_OTP_TLS_CERT_PATH"] ?? "")
        {
        case nil: return nil
        case .folder(let folder): return NodeRecord.TLS(certificateFolder: folder)
        case .optionsFile(let file):
            let folder = FileManager.default.currentDirectoryPath
            return NodeRecord.TLS(optionsFile: file.hasPrefix("/") ? file : "\(folder)/\(file)")
        }
    }

    /// Runs until a signal or `stop --all` ends it.
    func run() async throws -> Int32 {
        let signals = try SignalWatch(ServerSignal.watched, on: loop) { number in
            self.assumeIsolated { $0.received(signal: number) }
        }
        defer { signals.close() }
        // Keep the folders open until the very end: unfinished work may last as long.
        let folders = try await openFolders()
        try await leaveRecord(in: folders.base)
        let orphans = orphans()
        let processes = SystemProcesses(
            loop: loop, orphans: orphans, groups: await controlGroups()
        ) { [logger] in logger(.warning, $0) }
        let orphanWatch = Task(executorPreference: loop) { [loop] in
            await orphans?.watch(on: loop)
        }
        let unconfigured = UnconfiguredInstances(
            instances: RecordedInstances(
                basePath: configuration.basePath,
                records: InstanceRecordFolder(
                    base: configuration.basePath,
                    fileSystem: HostFileSystem(below: folders.base.anchor)),
                owners: configuration.trustedUsers, processes: processes, loop: loop),
            configured: Set(configuration.applications.map(\.name)), log: logger)
        await unconfigured.report()
        warnOfCookies()
        for text in UnknownVariables.warnings(environment) { console.log(.warning, text) }
        let listening = try await startNode()
        let registration = try await register(listening, folders.base)
        let sockets = heldSockets(folders, unconfigured.instances.records)
        await sockets.open()
        let applications = serve(on: listening.node, folders, processes, sockets)
        let module = await expose(applications, unconfigured, sockets, on: listening.node)
        let nodes = ServedNodes(
            module, basePath: configuration.basePath, tls: tls, loop: loop)
        await watchThresholds(module, nodes)
        await notifier.start(
            ownCertificates,
            CertificateWatchFile(
                basePath: configuration.basePath,
                files: HostFileSystem(below: folders.base.anchor)))
        let terminals = ShellTerminals(
            applications, module,
            conditions: conditions, environment: environment, cookie: cookie,
            tlsOptionsFile: recordedTLS?.optionsFile, loop: loop)
        let logs = ServedLogs(
            applications: applications, ownLogs: module.ownLogs, logPath: configuration.logPath,
            basePath: configuration.basePath, owners: configuration.trustedUsers,
            records: unconfigured.instances.records, feed: feed, logWatch: module.logWatch)
        var backends = Backends(deployments: module, logs: logs, terminals: terminals)
        (backends.host, backends.nodes) = (nodes, nodes)
        let http = await serveHTTP(backends)
        let watchers = applications.filter { $0.refusal == nil }.flatMap {
            $0.watchStore(on: loop)
        }
        // Before the first read, so that nothing published in between waits for the next poll.
        for watcher in watchers { await watcher.start() }
        // Begin each on its own, so that a problem of one does not hold up another.
        let beginnings = applications.map { application in Task { await application.start() } }
        let reports = Task(executorPreference: loop) { await self.reportToManager(applications) }
        await endRequested()
        reports.cancel()
        await manager.tell(.stopping)
        await module.thresholds.stop()
        await amazon?.end()
        await notifier.stop()
        await feed.close()
        await http?.stop()
        await terminals.end()
        for beginning in beginnings { beginning.cancel() }
        for watcher in watchers { await watcher.stop() }
        await withTaskGroup { group in
            for application in applications { group.addTask { await application.detach() } }
        }
        await sockets.detach()
        orphanWatch.cancel()
        await registration.stop()
        await listening.node.close()
        if endsEPMD { await endEPMD() }
        withExtendedLifetime(folders) {}
        await manager.close()
        console.log(.info, "deployex has stopped")
        console.flush()
        return ExitCode.done
    }

    /// Tells the service manager that deployex supervises, once that is so, and from then on how the
    /// applications are. Returns when the task is cancelled.
    private func reportToManager(_ applications: [ServedApplication]) async {
        await manager.feedWatchdog {
            for application in applications { _ = await application.deployer.hasEngine }
        }
        for application in applications { await application.firstAttemptEnded() }
        guard !Task.isCancelled, phase == .running else { return }
        await manager.tell(.ready)
        let topics = Set(applications.map { ObservationTopic.application($0.configuration.name) })
        while !Task.isCancelled, phase == .running {
            let seen = await feed.revision(of: topics)
            var snapshots: [ApplicationSnapshot] = []
            for application in applications {
                let name = application.configuration.name
                if let snapshot = await feed.snapshot(of: name) { snapshots.append(snapshot) }
            }
            await manager.tell(status: ServiceStatus.text(snapshots))
            do {
                _ = try await feed.change(
                    of: topics, after: seen, by: "the service manager", within: .seconds(3600))
            } catch {
                return
            }
            // A rollout changes much at once.
            await loop.sleep(for: .seconds(1))
        }
    }

    private var logger: @Sendable (LogLevel, String) -> Void {
        { [console] level, text in console.log(level, text) }
    }

    // MARK: Signals

    private func received(signal number: Int32) {
        let name = SignalName.of(number) ?? "signal \(number)"
        switch ServerSignal(number) {
        case .end: end(by: number)
        case .reopenLogs:
            manager.assumeIsolated { $0.tell(.reloading(since: .now)) }
            if configuration.keepsOwnLog {
                console.reopen()
                console.log(.info, "\(name): deployex's own logs are opened anew")
            }
            rereadSecrets(name)
        case .ignored:
            console.log(.warning, "\(name): ignored; it means nothing to deployex")
        }
    }

    /// One reading at a time; whoever asks meanwhile gets another one afterwards.
    private func rereadSecrets(_ signal: String) {
        guard !isReadingSecrets else {
            readsSecretsAgain = true
            return
        }
        isReadingSecrets = true
        Task {
            repeat {
                readsSecretsAgain = false
                await readSecretsAgain(signal)
            } while readsSecretsAgain
            isReadingSecrets = false
            if phase == .running { await manager.tell(.ready) }
        }
    }

    /// Takes the secrets of the dashboard and of notifications as they are now. The cookie stays as long as deployex runs: the
    /// instances have it.
    private func readSecretsAgain(_ signal: String) async {
        do {
            let (environment, found) = try await secrets.again()
            let (options, dashboard) = (commandLine, found.dashboard)
            let (settings, sinks, cookie) = try await offload { () throws(UsageError) in
                (
                    try dashboard.readAccess(), try found.notifications.readSinks(),
                    try Cookie.lookFor(
                        options, environment: environment, file: found.cookieFile,
                        // What is recorded is ours: another one is what somebody gives.
                        recorded: "")
                )
            }
            let receivers = try await notifier.take(sinks)
            let changes = (await access?.take(settings.secrets) ?? []) + receivers
            let told =
                changes.isEmpty ? "none has changed" : "changed: " + changes.joined(separator: ", ")
            console.log(.info, "\(signal): secrets are read again, \(told)")
            if let cookie, !cookie.isEmpty, cookie != self.cookie {
                console.log(
                    .warning,
                    "The cookie is another now: deployex and the instances take it when all of them start "
                        + "anew (`deployex stop --all`, then start)")
            }
        } catch {
            console.log(.warning, "\(signal): the secrets stay as they are: \(Self.text(error))")
        }
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as UsageError: error.message
        case let error as CommandFailure: error.message
        default: "\(error)"
        }
    }

    // MARK: Ending

    private func end(by number: Int32) {
        let name = number == SIGINT ? "Ctrl-C" : "SIGTERM"
        signalCount += 1
        guard signalCount == 1 else {
            console.log(.warning, "\(name) again: ending at once")
            console.flush()
            _exit(128 + number)
        }
        switch phase {
        case .running:
            console.log(
                .info,
                "\(name): the applications go on running; `deployex stop --all` ends them")
            manager.assumeIsolated { $0.tell(status: "Ending; the applications go on running") }
            end()
        case .stoppingAll, .ending:
            console.log(.info, "\(name): deployex is ending already; a second one ends it at once")
        }
    }

    private func end() {
        phase = .ending
        endWaiter?.resume()
        endWaiter = nil
    }

    private func endRequested() async {
        await withCheckedContinuation { continuation in
            // Looked at here, as something else may run before this closure does.
            guard phase != .ending else { return continuation.resume() }
            endWaiter = continuation
        }
    }

    /// Stops all instances. The server ends when the caller has disconnected with its answer, or
    /// has had a second to take it.
    private func stopAll(
        _ applications: [ServedApplication], _ unconfigured: UnconfiguredInstances,
        _ sockets: HeldSockets, for caller: Caller
    ) async throws(ControlRefusal) {
        // A host that shuts down asks once.
        let deadline = MonotonicTime.now + .seconds(20)
        while await isBeginning(applications), MonotonicTime.now < deadline, phase == .running {
            await loop.sleep(for: .milliseconds(100))
        }
        guard await !isBeginning(applications), phase != .ending else {
            throw ControlRefusal("deployex is starting or ending: try again")
        }
        phase = .stoppingAll
        await manager.tell(status: "Stopping every application")
        for application in applications {
            guard let problem = application.problem else { continue }
            console.log(
                .warning,
                "\(application.configuration.name) is failed (\(problem)): what runs of it is not stopped"
            )
        }
        let others: [InstanceRecord]
        do {
            others = try await unconfigured.running().map(\.record)
        } catch {
            others = []
            console.log(.error, "looking for instances that are not configured: \(error)")
        }
        await withTaskGroup { group in
            for application in applications {
                group.addTask { await application.deployer.stopAll() }
            }
            for other in others { group.addTask { await self.stop(other, of: unconfigured) } }
        }
        guard phase == .stoppingAll else { return }
        await sockets.end()
        endsEPMD = true
        answeredNode = caller.node
        loop.schedule(after: .seconds(1)) { self.assumeIsolated { $0.end() } }
    }

    private func isBeginning(_ applications: [ServedApplication]) async -> Bool {
        for application in applications where await application.isBeginning { return true }
        return false
    }

    private func stop(_ record: InstanceRecord, of unconfigured: UnconfiguredInstances) async {
        await unconfigured.stop(record)
    }

    private func nodeIsDown(_ node: NodeName) {
        feed.assumeIsolated { $0.forget(node.text) }
        if node == answeredNode { end() }
    }

    /// Ends the EPMD that deployex has started, unless a node is left in it.
    private func endEPMD() async {
        guard let process = record?.epmd, process.isRunning else { return }
        do throws(EPMDError) {
            switch try await EPMDEnd.end(epmd, within: .seconds(2), on: loop) {
            case .ended:
                console.log(.info, "No node is left: EPMD, which deployex started, has ended")
            case .needed(let names):
                console.log(
                    .info, "EPMD goes on, for \(names.prefix(5).joined(separator: ", "))")
            }
        } catch {
            console.log(.warning, "ending EPMD, which deployex started: \(error)")
        }
    }

    // MARK: Starting

    /// Leaves for the commands how deployex is reached. A cookie that deployex has made is worth
    /// nothing if it is not kept.
    private func leaveRecord(in base: BaseFolder) async throws {
        let path = NodeRecord.path(in: configuration.basePath)
        let basePath = configuration.basePath
        let earlier: NodeRecord?
        // Nobody else writes it from now on: the folder is locked.
        switch await offload({ NodeRecord.read(in: basePath) }) {
        case .absent: earlier = nil
        case .found(let record): earlier = record
        case .refused(let text):
            guard cookieOrigin == .given else { throw Self.unreadable(text) }
            earlier = nil
            console.log(.warning, "\(text): what the last deployex has left is not used")
        }
        switch (cookieOrigin, earlier) {
        case (.made, let earlier?), (.unreadable, let earlier?): cookie = earlier.cookie
        case (.unreadable(let text), nil): throw Self.unreadable(text)
        default: break
        }
        guard let process = ProcessIdentity.ofRunning(pid: getpid()) else {
            return console.log(
                .warning, "Without /proc, commands do not find deployex by themselves")
        }
        let record = NodeRecord(
            node: name, usesLongNames: naming != .short, epmdPort: epmd.address.port,
            cookie: cookie, tls: recordedTLS, process: process,
            epmd: earlier?.epmdPort == epmd.address.port ? earlier?.epmd : nil)
        self.record = record
        do {
            try await offload { try base.keep(record) }
        } catch {
            guard cookieOrigin == .made else {
                return console.log(.error, "\(error): commands need the cookie and the node's name")
            }
            throw CommandFailure("keeping the new cookie: \(error)", exitCode: ExitCode.usage)
        }
        switch cookieOrigin {
        case .given, .unreadable: break
        case .made:
            console.log(
                .info,
                "There was no cookie: a new one is in \(path), where the commands of this user and of "
                    + "root find it")
        case .recorded:
            guard let own = try? Cookie.ofHome(environment), own != cookie else { break }
            console.log(
                .info,
                "The cookie is the last deployex's, and not the one in ~/.erlang.cookie: to change to "
                    + "that one, name the file in DEPLOYEX_COOKIE_FILE")
        }
    }

    private static func unreadable(_ text: String) -> CommandFailure {
        CommandFailure(
            "\(text): instances may have the cookie in it; mend the file, or name one with their "
                + "cookie in DEPLOYEX_COOKIE_FILE, or, if no instance runs, remove it",
            exitCode: ExitCode.usage)
    }

    private func started(_ epmd: ProcessIdentity, _ base: BaseFolder) async {
        guard var record, record.epmd != epmd else { return }
        record.epmd = epmd
        self.record = record
        do {
            let written = record
            try await offload { try base.keep(written) }
        } catch {
            console.log(.warning, "recording EPMD's process: \(error)")
        }
    }

    private struct Folders: Sendable {
        var base: BaseFolder
        /// The reasons, by application.
        var refusals: [String: FileSystemError]
    }

    /// Checks all folders before anything is touched, and locks the base folder.
    private func openFolders() async throws -> Folders {
        let folders = TrustedFolders(configuration)
        let reach = configuration.reach
        let applications = configuration.applications
        let isOnly = applications.count == 1
        do {
            return try await offload {
                var refusals = try folders.check().mapValues(FileSystemError.untrusted)
                if isOnly, let refusal = refusals.values.first { throw refusal }
                try reach.prepareAncestors()
                let base = try BaseFolder(folders)
                refusals.merge(try reach.apply()) { first, _ in first }
                for application in applications where refusals[application.name] == nil {
                    do throws(PathTrustError) {
                        try folders.makeLogFolder(application)
                    } catch {
                        refusals[application.name] = .untrusted(error)
                    }
                }
                if isOnly, let refusal = refusals.values.first { throw refusal }
                return Folders(base: base, refusals: refusals)
            }
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        }
    }

    /// From now on, this process is the parent of orphans from its instances.
    private func orphans() -> Orphans? {
        do throws(SystemError) {
            return try Orphans()
        } catch {
            console.log(
                .warning, "\(error): what leaves the session of an instance is not ended with it")
            return nil
        }
    }

    /// The control groups of the instances, where systemd or another manager lets us make them.
    private func controlGroups() async -> ControlGroups? {
        let groups = await offload { ControlGroups() }
        if let groups {
            console.log(
                .info, "Each instance gets a control group of its own below \(groups.folder)")
        }
        return groups
    }

    private func warnOfCookies() {
        for text in configuration.strangeCookies(own: cookie) { console.log(.warning, text) }
        let names = configuration.applications.map(\.name) + [name.alive, name.host]
        guard let weakness = CookieStrength.weakness(of: cookie, names: names) else { return }
        console.log(
            .warning,
            "The cookie is weak: \(weakness). Whoever guesses it runs programs here: put a long random "
                + "one into a file that only deployex's user can read, and name it in "
                + "DEPLOYEX_COOKIE_FILE")
    }

    private func startNode() async throws -> ListeningNode {
        let listening = configuration.listening
        var settings = Node.Configuration()
        settings.tls = tls
        settings.tickTime = listening.tickTime
        settings.admittedPeers = admittedPeers
        let instanceTrust = instanceTrust
        settings.trust = { await instanceTrust.trust($0) }
        settings.admission = { await instanceTrust.refusal(of: $0, from: $1, to: $2) }
        // The other descriptors are for files, for starting instances, and for connections to them.
        settings.maximumHandshakes = descriptors.connectionCount(
            wanted: settings.maximumHandshakes)
        settings.maximumAcceptedConnections = descriptors.connectionCount(
            wanted: settings.maximumAcceptedConnections)
        let node = Node(
            name: name, cookie: cookie, loop: loop, configuration: settings,
            resolver: EPMDAccess.resolver(epmd))
        await node.setLogHandler(logger)
        let interface = listening.address(usesIPv6: usesIPv6)
        do throws(SystemError) {
            // For 0 the system chooses a port.
            let address = try await node.listen(on: interface, ports: listening.ports ?? 0...0)
            await listenWhereOthersLook(node, besides: address)
            return ListeningNode(node: node, port: address.port)
        } catch {
            // The address is not this host's, or no port is free.
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        }
    }

    /// If the interface is loopback, also listens at the loopback address that the own name
    /// resolves to, such as Debian's 127.0.1.1: BEAMs of this host look for us only there.
    private func listenWhereOthersLook(_ node: Node, besides address: SocketAddress) async {
        guard address.isLoopback else { return }
        let others = await HostLookup.loopbackAddresses(
            of: name.host, port: address.port, on: loop)
        for other in others where other != address {
            do throws(SystemError) {
                try await node.listen(on: other)
            } catch {
                console.log(
                    .warning,
                    "\(error): BEAMs of this host, where \(name.host) is \(other.host), do not "
                        + "reach deployex")
            }
        }
    }

    private struct ListeningNode {
        var node: Node
        var port: UInt16
    }

    /// Registers with EPMD, and starts one if none listens, as OTP's nodes do.
    private func register(
        _ listening: ListeningNode, _ base: BaseFolder
    ) async throws -> EPMDRegistration {
        let (console, node, name, client) = (console, listening.node, name, epmd)
        let starter = EPMDStarter(
            environment: EPMDAccess.variables(environment, admitting: admittedPeers),
            address: client.address, loop: loop, log: logger,
            onListening: { process in Task { await self.started(process, base) } })
        let isWaiting = Guarded(true)
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: name.alive, port: listening.port, type: .hidden),
            at: client.address, loop: loop, trust: trust
        ) { event in
            switch event {
            case .registered(let creation):
                Task {
                    await node.setCreation(creation)
                    await starter.found()
                }
                console.log(.info, "Registered \(name) with EPMD at \(client.address)")
            case .lost(let error):
                console.log(.warning, "\(error); registering again until EPMD is back")
            case .failed(let error):
                // Code below waits for the first success.
                guard !isWaiting.withLock({ $0 }) else { break }
                Task { await starter.failed(error) }
            }
        }
        let creation = try await starter.answer { () throws(EPMDError) in
            try await registration.register()
        }
        isWaiting.withLock { $0 = false }
        await node.setCreation(creation)
        return registration
    }

    /// The peers that may connect to us and to an EPMD that we start.
    private var admittedPeers: AdmittedPeers {
        configuration.listening.admittedPeers(usesTLS: tls != nil)
    }

    private func heldSockets(_ folders: Folders, _ records: InstanceRecordFolder) -> HeldSockets {
        let base = folders.base
        return HeldSockets(
            configuration.applications.map {
                .init(name: $0.name, replicas: $0.replicas, listening: $0.listening)
            },
            folder: { try base.anchor.reopened() }, base: configuration.basePath,
            records: records, loop: loop, log: logger)
    }

    private func serve(
        on node: Node, _ folders: Folders, _ processes: SystemProcesses, _ sockets: HeldSockets
    ) -> [ServedApplication] {
        let (logger, isOnly) = (logger, configuration.applications.count == 1)
        let applications = configuration.applications.map { application in
            ServedApplication(
                application, of: configuration, node: node, naming: naming, host: name.host,
                base: folders.base, processes: processes,
                refusal: folders.refusals[application.name], amazon: amazon,
                inherited: environment,
                cookie: cookie, process: conditions.setting(for: application), feed: feed,
                notifier: notifier, sockets: sockets,
                loop: loop,
                log: { level, text in
                    // If there are several applications, say whose instance it is.
                    logger(level, isOnly ? text : "\(application.name): \(text)")
                })
        }
        instanceTrust.serve(applications)
        return applications
    }

    // MARK: Being called

    private func expose(
        _ applications: [ServedApplication], _ unconfigured: UnconfiguredInstances,
        _ sockets: HeldSockets, on node: Node
    ) async -> ControlModule {
        let module = ControlModule(
            name: name, naming: naming, usesTLS: tls?.options.isMutual == true, begin: begin,
            directory: directory, applications: applications, feed: feed,
            logWatch: LogWatch(feed: feed),
            ownLogs: configuration.keepsOwnLog ? LogFiles(root: configuration.logPath) : nil,
            usage: UsageSampler(of: configuration.applications.map(\.name), feed: feed),
            thresholds: ThresholdKeeper(
                configuration.applications, feed: feed, notifier: notifier, log: logger),
            libraries: LibraryWatch(loop: loop),
            report: { level, text in
                // A caller that asks again and again must not fill the log.
                node.assumeIsolated {
                    $0.report(level, cause: nil, of: "callers of the module deployex", text)
                }
            },
            loginLink: { [access, url = configuration.dashboard.url] () throws(ControlRefusal) in
                guard let access else {
                    throw ControlRefusal(
                        "deployex does not listen for HTTP here: DEPLOYEX_PHX_SERVER is false")
                }
                guard await access.isServed else {
                    throw ControlRefusal(
                        "deployex does not listen at \(url) at the moment: another program has its "
                            + "port. See the log")
                }
                return "\(url)/login?\(await access.makeLink())"
            },
            stopAll: { caller in
                try await self.stopAll(applications, unconfigured, sockets, for: caller)
            })
        let (host, directory) = (name.host, directory)
        await node.setEventHandler { event in
            let peer =
                switch event {
                case .nodeUp(let peer, _, _), .nodeDown(let peer, _): peer
                }
            // Handle it here and now, on the loop: separate tasks could overtake each other.
            if case .nodeDown = event { self.assumeIsolated { $0.nodeIsDown(peer) } }
            // A node of that name on another host is not ours.
            guard peer.host == host, let instance = directory.instance(alive: peer.alive),
                let served = applications.first(where: { $0.configuration.name == instance.app })
            else { return }
            served.deployer.assumeIsolated { deployer in
                switch event {
                case .nodeUp(_, let creation, _):
                    deployer.connected(instance.number, creation: creation)
                case .nodeDown:
                    deployer.disconnected(instance.number)
                }
            }
        }
        await node.expose(module: "deployex") { function, arguments, caller in
            try await module.answer(function, arguments, caller)
        }
        let security =
            switch tls?.options.isMutual {
            case nil: "without mTLS: whoever has the cookie may connect"
            case true?: "with mTLS: whoever has the cookie and a certificate may connect"
            case false?: "with TLS, but not mutual: whoever has the cookie may connect"
            }
        console.log(.info, "Distribution \(security)")
        return module
    }

    private func watchThresholds(_ module: ControlModule, _ nodes: ServedNodes) async {
        await module.thresholds.start(nodes.nodeSampler) { instance, reason in
            do throws(ControlRefusal) {
                _ = try await module.perform(
                    .restart(instance.number), of: instance.app, askedBy: reason)
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    /// The certificates of deployex's own that may expire.
    private var ownCertificates: [TLSConfiguration] {
        var own = tls.map { [$0.options.server] } ?? []
        if let file = configuration.dashboard.certificateFile {
            var https = TLSConfiguration()
            https.certificateFile = file
            https.keyFile = configuration.dashboard.keyFile
            own.append(https)
        }
        return own
    }

    /// Answers machines over HTTP, where that is wanted.
    private func serveHTTP(_ backends: Backends) async -> HTTPListening? {
        guard let access else { return nil }
        var settings = DashboardService.Settings()
        settings.hosts = AllowedHosts([configuration.dashboard.host, name.host])
        let service = DashboardService(
            settings, access: access, backends: backends, loop: loop
        ) { [console] in $0.write(to: console) }
        let listening = HTTPListening(
            configuration.dashboard, service: service, access: access, tls: httpTLS, loop: loop,
            log: logger)
        await listening.start()
        return listening
    }
}

extension DashboardReport {
    fileprivate func write(to log: any ServerLog) {
        switch self {
        case .info(let text): log.log(.info, text)
        case .warning(let text): log.log(.warning, text)
        }
    }
}
