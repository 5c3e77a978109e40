internal import Dashboard
internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Glibc
internal import Supervisor
internal import Transport

/// Answers the dashboard what it asks of this host and of the instances' nodes.
actor ServedNodes {
    nonisolated let loop: EventLoop
    private let module: ControlModule
    private let hostSampler: HostSampler
    nonisolated let nodeSampler: NodeSampler
    private let tls: DistributionTLS?
    private let system = HostReport.ofSystem()
    private var details: [InstanceName: KeptDetails] = [:]
    /// The instances whose nodes are being looked into.
    private var busy: Set<InstanceName> = []

    /// What a node said, and of which run and version of it.
    private struct KeptDetails {
        var process: ProcessIdentity?
        var version: String?
        var found: NodeDetails
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ module: ControlModule, basePath: String, tls: DistributionTLS?, loop: EventLoop) {
        self.module = module
        self.tls = tls
        self.loop = loop
        hostSampler = HostSampler(feed: module.feed) { HostLook.ofHost(disk: basePath) }
        nodeSampler = NodeSampler(feed: module.feed) { await module.connectedNode($0) }
    }

    /// Looks into a node, unless somebody does already.
    private func look<Answer: Sendable>(
        into instance: InstanceName,
        _ body: @Sendable (any RemoteNode) async throws(NodeError) -> Answer
    ) async throws(DashboardRefusal) -> Answer {
        do throws(NodeError) {
            guard let node = await module.connectedNode(instance) else { throw .notConnected }
            guard busy.insert(instance).inserted else { throw .busy }
            defer { busy.remove(instance) }
            return try await body(node)
        } catch {
            throw DashboardRefusal(error)
        }
    }

    private func change(
        of topic: ObservationTopic, after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int {
        do throws(ObservationFeed.Refusal) {
            return try await module.feed.change(
                of: [topic], after: seen, by: observer, within: limit)
        } catch {
            throw DashboardRefusal(error)
        }
    }
}

extension ServedNodes: HostBackend {
    func host() async -> HostReport {
        HostReport(
            name: module.name.host, system: system,
            processorCount: HostReport.processorsOfSystem(), figures: await hostSampler.current(),
            deployex: .init(
                version: ProgramVersion.text, node: module.name.text, usesTLS: module.usesTLS,
                uptimeSeconds: Int((MonotonicTime.now - module.begin).components.seconds),
                pid: Int(getpid())))
    }

    func hostChange(
        after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int {
        await hostSampler.begin()
        return try await change(of: .host, after: seen, by: observer, within: limit)
    }
}

extension ServedNodes: NodeBackend {
    nonisolated func instance(
        _ number: InstanceNumber, of application: String
    ) throws(DashboardRefusal) -> InstanceName {
        do throws(ControlRefusal) {
            return try module.directory.instance(number.value, of: application)
        } catch {
            throw DashboardRefusal(.notFound, "\(error)")
        }
    }

    func figures(of instances: [InstanceName]) async -> [InstanceName: NodeFigures] {
        await nodeSampler.figures(of: instances, within: .seconds(10))
    }

    func node(_ instance: InstanceName) async throws(DashboardRefusal) -> NodeReport {
        do throws(NodeError) {
            let figures = try await nodeSampler.figures(of: instance)
            return NodeReport(
                figures: figures, history: await nodeSampler.history(of: instance))
        } catch {
            throw DashboardRefusal(error)
        }
    }

    func nodeChange(
        of instance: InstanceName, after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int {
        await nodeSampler.begin(instance)
        return try await change(of: .node(instance), after: seen, by: observer, within: limit)
    }

    func details(of instance: InstanceName) async throws(DashboardRefusal) -> Term {
        let snapshot = await module.snapshot(of: instance)
        let version = snapshot?.current?.version
        let found: NodeDetails
        if let kept = details[instance], kept.process == snapshot?.identity,
            kept.version == version, await module.connectedNode(instance) != nil
        {
            found = kept.found
        } else {
            found = try await look(into: instance) { (node) throws(NodeError) in
                try await NodeDetails(of: node)
            }
            details[instance] = KeptDetails(
                process: snapshot?.identity, version: version, found: found)
        }
        var object = TermObject()
        object.add("otp_release", found.release)
        object.add("erts", found.runtimeSystem)
        object.add("elixir", found.applications.version(of: "elixir"))
        object.add("phoenix", found.applications.version(of: "phoenix"))
        object.add("urls", found.addresses)
        object.add("applications", found.applications.term)
        object.add("certificate", await certificate())
        object.add("peer_certificate", await module.certificate(of: instance)?.term)
        object.add("pre_commands", await module.preCommands(of: instance.app, version: version))
        object.add("at", Int(loop.secondsSince1970))
        return object.term
    }

    /// That of deployex's own node, as it is in its file now; `nil` without TLS.
    private func certificate() async -> Term? {
        guard let configuration = tls?.options.server else { return nil }
        let read: Result<TLSCertificate?, TLSConfigurationError> = await offload {
            do throws(TLSConfigurationError) {
                return .success(try TLSCertificate.own(configuration))
            } catch {
                return .failure(error)
            }
        }
        switch read {
        case .success(let certificate): return certificate?.term
        case .failure(let error):
            var object = TermObject()
            object.add("error", "\(error)")
            return object.term
        }
    }

    func processes(
        of instance: InstanceName, by order: ProcessList.Order, limit: Int
    ) async throws(DashboardRefusal) -> ProcessList {
        try await look(into: instance) { (node) throws(NodeError) in
            try await ProcessList(of: node, by: order, limit: limit)
        }
    }

    func process(
        _ pid: String, of instance: InstanceName, withState: Bool
    ) async throws(DashboardRefusal) -> ProcessDetails {
        try await look(into: instance) { (node) throws(NodeError) in
            try await ProcessDetails(of: pid, on: node, withState: withState)
        }
    }

    func tree(
        of application: String, in instance: InstanceName
    ) async throws(DashboardRefusal) -> SupervisionTree {
        try await look(into: instance) { (node) throws(NodeError) in
            try await SupervisionTree(of: application, on: node)
        }
    }

    func tables(of instance: InstanceName) async throws(DashboardRefusal) -> TableList {
        try await look(into: instance) { (node) throws(NodeError) in
            try await TableList(of: node)
        }
    }

    func applications(
        of instance: InstanceName
    ) async throws(DashboardRefusal) -> ApplicationList {
        try await look(into: instance) { (node) throws(NodeError) in
            try await ApplicationList(of: node)
        }
    }

    func crashDump(of instance: InstanceName) async throws(DashboardRefusal) -> CrashDumpFile {
        let (path, owners) = await module.crashDumpPath(of: instance)
        guard path.hasPrefix("/") else {
            throw DashboardRefusal(
                .conflict, "ERL_CRASH_DUMP is not an absolute path: \(path)")
        }
        guard busy.insert(instance).inserted else { throw DashboardRefusal(NodeError.busy) }
        defer { busy.remove(instance) }
        do throws(FileSystemError) {
            let file = try await offload { () throws(FileSystemError) in
                try CrashDumpFile(reading: path, owners: owners)
            }
            guard file.dump != nil else {
                throw FileSystemError.unusable("\(path) is not a crash dump")
            }
            return file
        } catch {
            throw error.isNotFound
                ? DashboardRefusal(.notFound, "the instance has left no crash dump")
                : DashboardRefusal(.conflict, "\(error)")
        }
    }
}

extension TLSCertificate {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("subject", subject)
        object.add("issuer", issuer)
        object.add("not_after", expiry)
        return object.term
    }
}

extension ControlModule {
    /// An instance as it was last published.
    fileprivate func snapshot(of instance: InstanceName) async -> InstanceSnapshot? {
        await feed.snapshot(of: instance.app)?.instances.first { $0.number == instance.number }
    }

    /// The node of an instance, if it is connected.
    fileprivate func connectedNode(_ instance: InstanceName) async -> (any RemoteNode)? {
        guard await snapshot(of: instance)?.isConnected == true else { return nil }
        return served(instance.app).node(instance.number)
    }

    /// What an instance's node has shown when it was connected.
    fileprivate func certificate(of instance: InstanceName) async -> TLSCertificate? {
        await served(instance.app).node(instance.number).certificate
    }

    fileprivate func crashDumpPath(of instance: InstanceName) async -> (String, TrustedUsers) {
        let served = served(instance.app)
        return (await served.deployer.crashDumpPath(of: instance.number), served.logs.owners)
    }

    /// Those that were published with a version, as far as it is the one that is published now.
    fileprivate func preCommands(of application: String, version: String?) async -> [String] {
        do throws(StoreError) {
            let release = try await served(application).storage.store.current()
            return release?.version == version ? release?.preCommands ?? [] : []
        } catch {
            // The status shows why the store cannot be read.
            return []
        }
    }
}

extension DashboardRefusal {
    fileprivate init(_ error: NodeError) {
        let kind: Kind =
            switch error {
            case .notConnected, .call, .unexpectedAnswer: .conflict
            case .notFound: .notFound
            case .busy: .unavailable
            }
        self.init(kind, "\(error)")
    }
}
