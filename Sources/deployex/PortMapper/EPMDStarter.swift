internal import EPMD
internal import ErlDist
internal import Transport

/// Starts an EPMD where none listens: for whoever needs one now, and when it is lost later. Without
/// one the instances are not found any more, and the port is free for a stranger's.
///
/// It is used on the event loop's thread.
actor EPMDStarter {
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

    /// What `ask` gets from an EPMD; where none listens, one is started and has five seconds.
    func answer<Answer: Sendable>(
        _ ask: @Sendable () async throws(EPMDError) -> Answer
    ) async throws(CommandFailure) -> Answer {
        let deadline = MonotonicTime.now + .seconds(5)
        while true {
            // Before asking: another one may listen, because of which ours has ended.
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
        // Ours may have had to say something about itself.
        if let started, started.end == nil {
            for line in started.lines { log(.warning, "EPMD: \(line)") }
        }
        started = nil
    }

    /// An attempt has failed, and is made again.
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
