internal import ErlDist
internal import Supervisor
internal import Transport

/// The listening sockets of all applications. They are open before the first instance starts, and every
/// instance inherits them. A holder process keeps copies, so that they outlive this deployex; if the
/// holder ends, another one gets them, and if both have ended, a running instance still has them.
///
/// Its state is confined to the loop's thread.
actor HeldSockets {
    private nonisolated let loop: EventLoop
    private let applications: [Application]
    private let folder: @Sendable () throws -> FileDescriptor
    private let base: String
    private let records: InstanceRecordFolder
    private let log: @Sendable (LogLevel, String) -> Void
    private var sockets: [HeldSocketName: ListeningSocketHandle] = [:]
    private var client: HolderClient?
    private var starts = HolderStarts()
    private var hasEnded = false
    /// What was last said about the holder, so that it is said once.
    private var toldProblem: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    struct Application: Sendable {
        var name: String
        var replicas: Int
        var listening: [ListeningAddress]

        /// Every socket that its instances get.
        fileprivate var sockets: [(name: HeldSocketName, address: SocketAddress, backlog: Int)] {
            listening.flatMap { listener in
                let numbers = InstanceNumber.first(listener.mode == .own ? replicas : 1)
                return numbers.map {
                    (
                        listener.socket(of: $0, application: name), listener.address(of: $0),
                        listener.backlog
                    )
                }
            }
        }
    }

    /// - Parameters:
    ///   - folder: opens the base folder anew. It blocks.
    ///   - base: the base folder's path.
    ///   - records: of the instances.
    init(
        _ applications: [Application], folder: @escaping @Sendable () throws -> FileDescriptor,
        base: String, records: InstanceRecordFolder, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.applications = applications
        self.folder = folder
        self.base = base
        self.records = records
        self.loop = loop
        self.log = log
    }

    private var wanted: [HeldSocketName: SocketAddress] {
        Dictionary(
            applications.flatMap(\.sockets).map { ($0.name, $0.address) }
        ) { first, _ in first }
    }

    // MARK: Opening

    /// Takes back what an earlier deployex has left, closes what is not configured any more, and opens
    /// the rest. What cannot be opened is told of, and is tried again with each start of an instance.
    func open() async {
        let wanted = wanted
        let found = await left()
        if wanted.isEmpty {
            if client != nil { await end() }
            hasEnded = true
            return
        }
        let plan = HeldSocketPlan(wanted: wanted, found: found.mapValues(\.address))
        for (name, before) in plan.reused { sockets[name] = found[before] }
        for name in plan.unwanted { await tell { try $0.drop(name) } }
        if !plan.missing.isEmpty { await takeFromInstances(plan.missing) }
        for (name, address) in plan.missing.sorted(by: { $0.key < $1.key })
        where sockets[name] == nil {
            do {
                sockets[name] = try await Self.opened(address, backlog(of: name))
            } catch {
                log(
                    .error,
                    "\(name): \(error): no instance of \(name.application) starts until it "
                        + "succeeds")
            }
        }
        if client == nil {
            await startHolder()
        } else {
            for (name, socket) in sockets where plan.reused[name] != name {
                await tell { try $0.keep(name, socket) }
            }
            watchHolder()
        }
        let texts = sockets.sorted { $0.key < $1.key }.map { "\($0.key) at \($0.value.address)" }
        if !texts.isEmpty {
            let count = plan.reused.count
            log(
                .info,
                "Listening for the applications: \(texts.joined(separator: ", "))"
                    + (count == 0 ? "" : "; \(count) of them since an earlier deployex"))
        }
    }

    /// The sockets that the holder of an earlier deployex has.
    private func left() async -> [HeldSocketName: ListeningSocketHandle] {
        do {
            guard let found = try await connected() else { return [:] }
            let sockets = try await offload { () throws(HolderError) in try found.sockets() }
            client = found
            return sockets
        } catch {
            log(.error, "\(error): the sockets that it may have are not taken over")
            return [:]
        }
    }

    private func connected() async throws -> HolderClient? {
        let folder = folder
        return try await offload {
            try HolderClient.connect(in: try folder(), users: TrustedUsers())
        }
    }

    /// Running instances have the sockets, too.
    private func takeFromInstances(_ missing: [HeldSocketName: SocketAddress]) async {
        let (records, names) = (records, Set(missing.keys.map(\.application)))
        let wanted = Set(missing.values)
        let log = log
        let found = await offload {
            () -> [(application: String, socket: ListeningSocketHandle)] in
            var found: [(application: String, socket: ListeningSocketHandle)] = []
            // Without a record there is no instance of ours.
            for name in (try? records.names()) ?? [] where names.contains(name.app) {
                switch try? records.read(name) {
                case .found(let record):
                    guard let process = record.process else { continue }
                    found += ListeningSocketHandle.take(from: process, at: wanted).map {
                        (name.app, $0)
                    }
                case .damaged(let path, let reason):
                    log(
                        .warning,
                        "The record of \(name) is damaged (\(reason)): kept as \(path)")
                case .absent, nil: continue
                }
            }
            return found
        }
        for (name, address) in missing {
            // Another application's process may listen there, and has no right to.
            let own = found.first {
                $0.application == name.application && $0.socket.address == address
            }
            guard let socket = own?.socket else { continue }
            sockets[name] = socket
            log(.info, "\(name): took the socket at \(address) over from a running instance")
        }
    }

    private nonisolated static func opened(
        _ address: SocketAddress, _ backlog: Int
    ) async throws -> ListeningSocketHandle {
        try await offload { () throws(SystemError) in
            let descriptor = try ListeningDescriptor.open(address, backlog: backlog)
            guard let socket = ListeningSocketHandle(descriptor) else {
                throw SystemError("listening on \(address)", code: 0)
            }
            return socket
        }
    }

    private func backlog(of name: HeldSocketName) -> Int {
        applications.first { $0.name == name.application }?.listening
            .first { $0.name == name.listener }?.backlog ?? ListeningDescriptor.usualBacklog
    }

    // MARK: Instances

    /// What an instance that starts now inherits. What is not open yet is opened now.
    /// - Throws: ``SpawnError`` that names the address.
    func sockets(of number: InstanceNumber, application: String) async throws
        -> InheritedSockets
    {
        guard let found = applications.first(where: { $0.name == application }) else {
            return InheritedSockets([])
        }
        var inherited: [(name: String, handle: ListeningSocketHandle)] = []
        for listener in found.listening {
            let name = listener.socket(of: number, application: application)
            let socket = try await socket(name, at: listener.address(of: number))
            // A virtual machine that has ended may have left a shorter queue.
            ListeningDescriptor.setBacklog(listener.backlog, of: socket.raw)
            inherited.append((listener.name, socket))
        }
        return InheritedSockets(inherited)
    }

    private func socket(
        _ name: HeldSocketName, at address: SocketAddress
    ) async throws -> ListeningSocketHandle {
        if let socket = sockets[name] { return socket }
        guard !hasEnded else { throw SpawnError("listening on \(address): deployex is ending") }
        let opened: ListeningSocketHandle
        do {
            opened = try await Self.opened(address, backlog(of: name))
        } catch {
            // Another instance's start may have opened it meanwhile.
            if let socket = sockets[name] { return socket }
            throw SpawnError("\(name): \(error)")
        }
        if let socket = sockets[name] { return socket }
        sockets[name] = opened
        log(.info, "\(name): listening on \(address)")
        await tell { try $0.keep(name, opened) }
        return opened
    }

    // MARK: The holder

    /// Does something with the holder, if there is one. A failure is told of, and the holder's end is
    /// noticed elsewhere.
    private func tell(
        _ order: @escaping @Sendable (HolderClient) throws -> Void
    ) async {
        guard let client else { return }
        do {
            try await offload { try order(client) }
        } catch {
            log(.error, "\(error): a socket may not outlive deployex")
        }
    }

    /// Starts a holder and gives it all sockets. If that fails it is tried again.
    private func startHolder() async {
        guard !hasEnded, client == nil else { return }
        do {
            try await HolderProcess.start(in: folder, base: base, on: loop)
            let found = try await answering()
            client = found
            toldProblem = nil
            watchHolder()
            for (name, socket) in sockets { await tell { try $0.keep(name, socket) } }
        } catch {
            let problem = "starting a process that holds the sockets: \(error)"
            if toldProblem != problem {
                toldProblem = problem
                log(.error, "\(problem); until it succeeds they do not outlive deployex")
            }
            tryAgain()
        }
    }

    /// The holder that was just started, once it listens.
    private func answering() async throws -> HolderClient {
        let deadline = MonotonicTime.now + .seconds(10)
        while MonotonicTime.now < deadline {
            if let found = try await connected() { return found }
            await loop.sleep(for: .milliseconds(10))
        }
        throw HolderError.ended
    }

    private func tryAgain() {
        let delay = starts.delay(now: .now)
        loop.schedule(after: delay) {
            self.begin { await $0.startHolder() }
        }
    }

    private nonisolated func begin(
        _ work: @escaping @Sendable (isolated HeldSockets) async -> Void
    ) {
        Task(executorPreference: loop) { await work(self) }
    }

    /// Notices the holder's end, whoever started it.
    private func watchHolder() {
        guard let client else { return }
        do {
            try client.watchEnd(on: loop) {
                self.assumeIsolated { $0.holderEnded(client) }
            }
        } catch {
            log(.error, "watching the process that holds the sockets: \(error)")
        }
    }

    private func holderEnded(_ ended: HolderClient) {
        guard client === ended else { return }
        client = nil
        guard !hasEnded else { return }
        log(.warning, "The process that holds the sockets is gone: starting another one")
        tryAgain()
    }

    /// Closes everything, also the holder's: `stop --all`.
    func end() async {
        hasEnded = true
        let client = client.take()
        sockets = [:]
        guard let client else { return }
        client.unwatch()
        do {
            try await offload { () throws(HolderError) in try client.end() }
        } catch {
            log(.error, "\(error): it may keep listening sockets open")
        }
    }

    /// Leaves the sockets with the holder: deployex ends, and the applications go on.
    func detach() {
        hasEnded = true
        client?.unwatch()
    }
}
