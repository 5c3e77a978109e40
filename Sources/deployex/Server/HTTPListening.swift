internal import Dashboard
internal import ErlDist
internal import HTTP
internal import Transport

/// Keeps deployex's address for HTTP: listens on it, or tries again when it is taken.
actor HTTPListening {
    private nonisolated let loop: EventLoop
    private let options: DashboardOptions
    private let log: @Sendable (LogLevel, String) -> Void
    private let server: HTTPServer
    private var retry: LoopTimer?
    private var isStopped = false
    private var isFirst = true

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private static let retryInterval: Duration = .seconds(5)

    init(
        _ options: DashboardOptions, service: DashboardService, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.options = options
        self.loop = loop
        self.log = log
        server = HTTPServer(loop: loop) { await service.answer($0) }
    }

    /// Listens as soon as the port is free.
    func start() {
        guard !isStopped else { return }
        do {
            // The server is on the same loop.
            try server.assumeIsolated { _ = try $0.start(on: options.address) }
            log(.info, "Access deployex at http://\(options.host):\(options.address.port)")
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

    func stop() {
        isStopped = true
        retry?.cancel()
        server.assumeIsolated { $0.stop() }
    }
}
