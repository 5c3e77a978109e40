internal import Deployment
internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex start`: the node, the deployer of the monitored application, and what joins them.
actor Server {
    private nonisolated let loop: EventLoop
    private let configuration: ServerConfiguration
    private let usesIPv6: Bool
    private let environment: [String: String]
    private let name: NodeName
    private let cookie: String
    private let tls: DistributionTLS?
    private let console: ConsoleLog
    private let begin = MonotonicTime.now
    private var isStopping = false
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// The signals that end the server. They are blocked before any thread exists.
    static let endingSignals = [SIGTERM, SIGINT]

    /// Checks everything that can be checked before anything is touched.
    init(
        _ invocation: Invocation, environment: [String: String], console: ConsoleLog,
        loop: EventLoop
    ) throws(UsageError) {
        let options = try invocation.distribution.merging(environment)
        usesIPv6 = options.usesIPv6 ?? false
        configuration = try ServerConfiguration(environment: environment)
        name = try HostName.nodeName(
            options.name ?? "deployex", usesLongNames: options.usesLongNames)
        cookie = try Cookie.find(options, environment: environment)
        tls = try TLSAccess.load(options, environment: environment) { level, text in
            console.log(level, text)
        }
        _ = try EPMDAccess.client(environment, loop: loop)
        self.environment = environment
        self.console = console
        self.loop = loop
    }

    /// Runs until a signal ends it.
    func run() async throws -> Int32 {
        let signals = try SignalWatch(Self.endingSignals, on: loop) { number in
            self.assumeIsolated { $0.received(signal: number) }
        }
        defer { signals.close() }
        // Held until the very end: instances may run as long.
        let lock = try await lockBaseFolder()
        let listening = try await startNode()
        let registration = try await register(listening)
        let deployer = makeDeployer(listening.node)
        await expose(deployer, on: listening.node)
        let watcher = watchStore(deployer)
        // Before the first read, so that nothing published in between waits for the next poll.
        await watcher.start()
        try await deployer.start()
        await stopRequested()
        await watcher.stop()
        await deployer.detach()
        await registration.stop()
        await listening.node.close()
        withExtendedLifetime(lock) {}
        console.log(.info, "deployex has stopped")
        return ExitCode.done
    }

    // MARK: Stopping

    private func received(signal number: Int32) {
        let name = number == SIGINT ? "Ctrl-C" : "SIGTERM"
        guard !isStopping else {
            return console.log(.info, "\(name): deployex is stopping already")
        }
        isStopping = true
        console.log(
            .info, "\(name): deployex stops; the applications go on running")
        let waiters = stopWaiters
        stopWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    private func stopRequested() async {
        guard !isStopping else { return }
        await withCheckedContinuation { stopWaiters.append($0) }
    }

    // MARK: Starting

    private func lockBaseFolder() async throws -> FolderLock {
        let path = configuration.basePath
        do {
            return try await offload {
                try HostFileSystem().makePrivateFolder(path)
                return try FolderLock(folder: path)
            }
        } catch let error as FileSystemError {
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        } catch let error as FolderLock.Failure {
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        }
    }

    private func startNode() async throws -> ListeningNode {
        let client = try EPMDAccess.client(environment, loop: loop)
        let listening = configuration.listening
        var settings = Node.Configuration()
        settings.tls = tls
        settings.tickTime = listening.tickTime
        let node = Node(
            name: name, cookie: cookie, loop: loop, configuration: settings,
            resolver: EPMDAccess.resolver(client))
        let console = console
        await node.setLogHandler { level, text in console.log(level, text) }
        let interface = listening.address(usesIPv6: usesIPv6)
        do throws(SystemError) {
            let address = try await listen(node, interface, listening.ports)
            return ListeningNode(node: node, port: address.port)
        } catch {
            // An address that is not this host's, or no port that is free.
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        }
    }

    private func listen(
        _ node: Node, _ interface: SocketAddress, _ ports: ClosedRange<UInt16>?
    ) async throws(SystemError) -> SocketAddress {
        if let ports { return try await node.listen(on: interface, ports: ports) }
        return try await node.listen(on: interface)
    }

    private struct ListeningNode {
        var node: Node
        var port: UInt16
    }

    /// Registers with EPMD, starting one where none listens, as OTP's nodes do.
    private func register(_ listening: ListeningNode) async throws -> EPMDRegistration {
        let client = try EPMDAccess.client(environment, loop: loop)
        let (console, node, name) = (console, listening.node, name)
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: name.alive, port: listening.port, type: .hidden),
            at: client.address, loop: loop
        ) { event in
            switch event {
            case .registered(let creation):
                Task { await node.setCreation(creation) }
                console.log(.info, "Registered \(name) with EPMD at \(client.address)")
            case .lost(let error):
                console.log(.warning, "\(error); registering again until EPMD is back")
            case .failed:
                // Told once by `lost`, or by whoever waits for the first success.
                break
            }
        }
        let deadline = MonotonicTime.now + .seconds(5)
        var hasStarted = false
        while true {
            do throws(EPMDError) {
                let creation = try await registration.register()
                await node.setCreation(creation)
                return registration
            } catch {
                guard case .unreachable = error, MonotonicTime.now < deadline else {
                    throw CommandFailure("\(error)", exitCode: ExitCode.unreachable)
                }
                if !hasStarted {
                    hasStarted = true
                    console.log(.info, "No EPMD at \(client.address): starting one")
                    try await EPMDProcess.start(environment: environment, loop: loop)
                }
                await loop.sleep(for: .milliseconds(20))
            }
        }
    }

    private func makeDeployer(_ node: Node) -> Deployer {
        let (host, console) = (name.host, console)
        let application = configuration.applicationName
        var timings = EngineConfiguration.Timings()
        timings.pollInterval = configuration.timings.pollInterval
        timings.stopTimeout = configuration.timings.stopTimeout
        timings.readyTimeout = configuration.timings.rollbackTimeout
        return Deployer(
            configuration: EngineConfiguration(
                application: application, replicas: configuration.replicas, timings: timings),
            environment: Deployer.Environment(
                layout: DeploymentLayout(
                    basePath: configuration.basePath, application: application),
                logs: LogFiles(root: configuration.logPath),
                instances: InstanceEnvironment(firstPort: configuration.firstPort),
                inherited: environment, store: store, files: HostFileSystem(),
                node: { number in
                    let name = InstanceName(app: application, index: number)
                    return InstanceNode(alive: "\(name)", host: host, node: node)
                },
                log: { level, text in console.log(level, text) }),
            loop: loop)
    }

    private var store: FolderStore {
        FolderStore(
            root: configuration.storagePath, application: configuration.applicationName,
            environment: configuration.environmentName)
    }

    private func watchStore(_ deployer: Deployer) -> StoreWatcher {
        let console = console
        return StoreWatcher(
            store: store, loop: loop,
            onChange: { Task { await deployer.catalogAnnounced() } },
            onFailure: { error in
                console.log(
                    .warning, "\(error): changes are noticed at the next poll instead of at once")
            })
    }

    /// The number in a node name such as `counter-2@host`.
    private static func instance(_ peer: NodeName) -> Int? {
        guard let dash = peer.alive.lastIndex(of: "-") else { return nil }
        return Int(peer.alive[peer.alive.index(after: dash)...])
    }

    // MARK: Being called

    /// The module `deployex`: what any node with the cookie may call, the command line included.
    private func expose(_ deployer: Deployer, on node: Node) async {
        let (name, begin) = (name, begin)
        let firstPort = configuration.firstPort
        let usesTLS = tls?.options.isMutual == true
        await node.setEventHandler { event in
            switch event {
            case .nodeUp(let peer, let creation, _):
                guard let number = Self.instance(peer) else { return }
                Task { await deployer.connected(number, creation: creation) }
            case .nodeDown(let peer, _):
                guard let number = Self.instance(peer) else { return }
                Task { await deployer.disconnected(number) }
            }
        }
        await node.expose(module: "deployex") { function, arguments, _ in
            guard function == "status", arguments.isEmpty else {
                throw ExposedCallError.undefined
            }
            let now = MonotonicTime.now
            let applications = await deployer.snapshot.map { snapshot in
                StatusReport.Application(snapshot: snapshot, firstPort: firstPort)
            }
            return StatusReport(
                node: name.text, version: HelpText.version, usesTLS: usesTLS, uptime: now - begin,
                applications: applications.map { [$0] } ?? []
            ).term(now: now)
        }
        let security =
            switch tls?.options.isMutual {
            case nil: "without mTLS: whoever has the cookie may connect"
            case true?: "with mTLS: whoever has the cookie and a certificate may connect"
            case false?: "with TLS, but not mutual: whoever has the cookie may connect"
            }
        console.log(.info, "Distribution \(security)")
    }
}
