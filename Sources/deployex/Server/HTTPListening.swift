internal import Dashboard
internal import ErlDist
internal import Glibc
internal import HTTP
internal import Transport

/// Keeps deployex's address for HTTP: listens on it, or tries again when it is taken.
actor HTTPListening {
    private nonisolated let loop: EventLoop
    private let options: DashboardOptions
    private let log: @Sendable (LogLevel, String) -> Void
    private let server: HTTPServer
    /// The other address that `localhost` may mean: a program that had it would be taken for the
    /// dashboard.
    private let other: HTTPServer?
    private let access: DashboardAccess
    private var retry: LoopTimer?
    private var isStopped = false
    private var isFirst = true

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private static let retryInterval: Duration = .seconds(5)

    init(
        _ options: DashboardOptions, service: DashboardService, access: DashboardAccess,
        tls: TLSContext?, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.options = options
        self.loop = loop
        self.log = log
        self.access = access
        server = HTTPServer(loop: loop, tls: tls) { await service.answer($0) }
        other =
            options.address.isOfIPv4 && options.host == "localhost"
            ? HTTPServer(loop: loop, tls: tls) { await service.answer($0) } : nil
    }

    /// Listens as soon as the port is free.
    func start() {
        guard !isStopped else { return }
        do {
            // The server is on the same loop.
            try server.assumeIsolated { _ = try $0.start(on: options.address) }
            try startOther()
            access.assumeIsolated { $0.isServed = true }
            log(.info, "Access deployex at \(options.url)")
            showLink()
        } catch {
            if isFirst {
                log(.warning, "HTTP: \(error); trying again until it succeeds")
                isFirst = false
            }
            retry = loop.schedule(after: Self.retryInterval) { [self] in
                assumeIsolated { $0.start() }
            }
        }
    }

    private func startOther() throws {
        let address = SocketAddress.loopbackOfIPv6(port: options.address.port)
        do {
            try other?.assumeIsolated { _ = try $0.start(on: address) }
        } catch let error as SystemError where [EADDRNOTAVAIL, EAFNOSUPPORT].contains(error.code) {
            // This host has no IPv6.
        } catch {
            server.assumeIsolated { $0.stop() }
            throw error
        }
    }

    /// The one secret that deployex's log ever shows: locally, and while there is no password, a
    /// link that works once and soon no longer.
    private func showLink() {
        guard options.isLocal, options.administratorHash == nil else { return }
        Task(executorPreference: loop) { [access, log, options] in
            let link = await access.makeLink()
            log(
                .info,
                "Log in with \(options.url)/login?\(link) (once, and within ten minutes; `deployex "
                    + "login-link` prints another)")
        }
    }

    func stop() {
        isStopped = true
        retry?.cancel()
        access.assumeIsolated { $0.isServed = false }
        server.assumeIsolated { $0.stop() }
        other?.assumeIsolated { $0.stop() }
    }
}
