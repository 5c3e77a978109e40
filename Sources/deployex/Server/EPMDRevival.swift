internal import EPMD
internal import ErlDist
internal import Transport

/// Starts an EPMD where none listens: when deployex starts, and when it is lost later. Without one the
/// instances are not found any more, and the port is free for a stranger's.
///
/// It is used on the event loop's thread.
actor EPMDRevival {
    private nonisolated let loop: EventLoop
    private let environment: [String: String]
    private let address: SocketAddress
    private let log: @Sendable (LogLevel, String) -> Void
    private var starts = EPMDStarts()
    /// The last one that was started and has not been found to listen.
    private var started: EPMDProcess?
    /// What was said last of a daemon that is not believed, so that it is said once.
    private var refusal: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter environment: what the EPMD is started with.
    init(
        environment: [String: String], address: SocketAddress, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.environment = environment
        self.address = address
        self.loop = loop
        self.log = log
    }

    /// The node is registered.
    func registered() {
        refusal = nil
        // It may have had to say something about itself.
        if let started, started.end == nil {
            for line in started.lines { log(.warning, "EPMD: \(line)") }
        }
        started = nil
    }

    /// Why the EPMD that was started does not listen: it has ended.
    var end: String? { started?.end }

    /// The registration has failed, and is tried again.
    func failed(_ error: EPMDError) async {
        switch error {
        case .unreachable:
            guard starts.unreachable(now: .now) else { return }
            if let end { log(.error, end) }
            log(.info, "No EPMD at \(address): starting one")
            do {
                started = try await EPMDProcess.start(environment: environment, loop: loop)
            } catch let failure as CommandFailure {
                log(.error, failure.message)
            } catch {
                log(.error, "\(error)")
            }
        case .untrusted, .duplicateName:
            guard refusal != "\(error)" else { return }
            refusal = "\(error)"
            log(.error, "\(error)")
        case .notRegistered, .timedOut, .badReply, .badRequest, .unresolvedHost, .stopped,
            .badSetting:
            return
        }
    }
}
