internal import EPMD
internal import ErlDist
internal import Supervisor
internal import Transport

/// Starts an EPMD if none listens: for a caller that needs one now, and when it is lost later.
/// Without an EPMD the instances cannot be found any more, and a stranger's EPMD could take the
/// port.
///
/// It is used on the event loop's thread.
actor EPMDStarter {
    private nonisolated let loop: EventLoop
    private let environment: [String: String]
    private let address: SocketAddress
    private let log: @Sendable (LogLevel, String) -> Void
    private let onListening: @Sendable (ProcessIdentity) -> Void
    private var starts = EPMDStarts()
    /// The EPMD that was started last, until one is found to listen.
    private var started: EPMDProcess?
    /// The last message about a daemon that is not believed, so that it is logged once.
    private var refusal: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - environment: the environment of an EPMD that is started.
    ///   - onListening: called with an EPMD that was started and listens.
    init(
        environment: [String: String], address: SocketAddress, loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void,
        onListening: @escaping @Sendable (ProcessIdentity) -> Void = { _ in }
    ) {
        self.onListening = onListening
        self.environment = environment
        self.address = address
        self.loop = loop
        self.log = log
    }

    /// What `ask` gets from an EPMD. If none listens, one is started and has five seconds to
    /// answer.
    func answer<Answer: Sendable>(
        _ ask: @Sendable () async throws(EPMDError) -> Answer
    ) async throws(CommandFailure) -> Answer {
        let deadline = MonotonicTime.now + .seconds(5)
        while true {
            // Look before asking: ours may have ended because another one listens.
            let end = started?.end
            do throws(EPMDError) {
                let answer = try await ask()
                found()
                return answer
            } catch {
                guard case .unreachable = error, MonotonicTime.now < deadline, end == nil else {
                    throw CommandFailure(unreachable: end ?? "\(error)")
                }
                await failed(error)
            }
            await loop.sleep(for: .milliseconds(20))
        }
    }

    /// An EPMD has answered.
    func found() {
        refusal = nil
        // Ours may have written something about itself.
        if let started, started.end == nil {
            for line in started.lines { log(.warning, "EPMD: \(line)") }
            if let identity = started.identity { onListening(identity) }
        }
        started = nil
    }

    /// An attempt has failed, and will be repeated.
    func failed(_ error: EPMDError) async {
        switch error {
        case .unreachable:
            guard starts.unreachable(now: .now) else { return }
            if let end = started?.end { log(.error, end) }
            log(.info, "No EPMD at \(address): starting one")
            do throws(CommandFailure) {
                started = try await EPMDProcess.start(environment: environment, loop: loop)
            } catch {
                log(.error, error.message)
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
