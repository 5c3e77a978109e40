internal import Deployment
internal import ErlDist
internal import HTTP
internal import Notifications
internal import Supervisor
internal import Transport

/// Tells the configured receivers what happens. Nobody waits for it.
actor Notifier {
    private nonisolated let loop: EventLoop
    private let host: String
    private let environment: [String: String]
    private let log: @Sendable (LogLevel, String) -> Void
    /// Asks all receivers; it is made for the first one.
    private var client: HTTPClient?
    private var receivers: [Receiver] = []
    private var policy: NotificationPolicy
    private var certificates = CertificateWatch()
    /// The thresholds that instances are over, by their names.
    private var over: Set<String> = []
    private var work: Task<Void, Never>?

    private struct Receiver {
        var sink: NotificationSink
        var sender: NotificationSender
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private static let interval = Duration.seconds(30)
    /// Certificates are looked at every hour.
    private static let roundsPerLook = 120

    /// - Throws: ``UsageError`` if a proxy's variable cannot be used.
    init(
        _ sinks: [NotificationSink], host: String, environment: [String: String], loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) throws(UsageError) {
        policy = NotificationPolicy(host: host)
        self.host = host
        self.environment = environment
        self.loop = loop
        self.log = log
        if !sinks.isEmpty { client = try Self.client(environment, loop) }
        if let client {
            receivers = sinks.map { sink in
                Receiver(
                    sink: sink,
                    sender: NotificationSender(sink, client: client, loop: loop, log: log))
            }
        }
    }

    /// What asks receivers.
    /// - Throws: ``UsageError`` if a proxy's variable cannot be used.
    static func client(
        _ environment: [String: String], _ loop: EventLoop
    ) throws(UsageError) -> HTTPClient {
        do throws(HTTPProxyError) {
            return HTTPClient(
                loop: loop, trust: HTTPTrust(environment: environment),
                proxies: try HTTPProxies(environment: environment))
        } catch {
            throw UsageError("\(error)", "start")
        }
    }

    /// Takes the receivers as they are configured now. What waits for one goes to its new address.
    /// - Returns: the names of those that have changed.
    func take(_ sinks: [NotificationSink]) throws(UsageError) -> [String] {
        if !sinks.isEmpty, client == nil { client = try Self.client(environment, loop) }
        var changes: [String] = []
        for receiver in receivers where !sinks.contains(where: receiver.sink.isSameReceiver) {
            receiver.sender.assumeIsolated { $0.stop() }
            changes.append("\(receiver.sink)")
        }
        receivers.removeAll { receiver in !sinks.contains(where: receiver.sink.isSameReceiver) }
        for sink in sinks {
            if let index = receivers.firstIndex(where: { $0.sink.isSameReceiver(sink) }) {
                guard receivers[index].sink != sink else { continue }
                receivers[index].sink = sink
                receivers[index].sender.assumeIsolated { $0.take(sink) }
            } else if let client {
                let sender = NotificationSender(sink, client: client, loop: loop, log: log)
                receivers.append(Receiver(sink: sink, sender: sender))
            }
            changes.append("\(sink)")
        }
        return changes
    }

    /// Looks from time to time at what no change announces.
    /// - Parameters:
    ///   - own: whose own certificates are looked at.
    ///   - file: remembers what was told of them.
    func start(_ own: [TLSConfiguration], _ file: CertificateWatchFile) {
        work = Task(executorPreference: loop) {
            await self.remember(own, file)
            var round = 0
            while !Task.isCancelled {
                if round % Self.roundsPerLook == 0 { await self.look(at: own, file) }
                round += 1
                await self.tellWhatTimeBrings()
                await self.loop.sleep(for: Self.interval)
            }
        }
    }

    private func tellWhatTimeBrings() {
        post(policy.timePassed(at: loop.secondsSince1970, now: .now))
    }

    func stop() async {
        work?.cancel()
        for receiver in receivers { await receiver.sender.stop() }
    }

    func changed(_ snapshot: ApplicationSnapshot) {
        post(policy.changed(snapshot, at: loop.secondsSince1970, now: .now))
    }

    /// An application is not begun, and why.
    func isHindered(_ application: String, _ reason: String) {
        post(policy.hindered(application, reason, at: loop.secondsSince1970, now: .now))
    }

    /// - Parameter name: of the threshold.
    func crossed(_ instance: InstanceName, _ name: String, isOver: Bool, _ text: String) {
        let key = "\(instance)/\(name)"
        // From one level to another is nothing new.
        guard isOver != over.contains(key) else { return }
        if isOver { over.insert(key) } else { over.remove(key) }
        let now = loop.secondsSince1970
        post([
            NotificationEvent(
                isOver ? .thresholdCrossed : .thresholdLeft, host: host,
                subject: "\(instance.app)/\(instance.number.value)/\(name)", mark: "\(now)",
                at: now, application: instance.app, instance: instance.number.value, reason: text)
        ])
    }

    private func post(_ events: [NotificationEvent]) {
        for event in events {
            for receiver in receivers { receiver.sender.assumeIsolated { $0.post(event) } }
        }
    }

    private func remember(_ own: [TLSConfiguration], _ file: CertificateWatchFile) async {
        certificates = await offload { file.read() } ?? CertificateWatch()
        certificates.keep(own.compactMap(\.certificateFile))
    }

    private func look(at own: [TLSConfiguration], _ file: CertificateWatchFile) async {
        // With nobody to tell it to, nothing was told.
        guard !receivers.isEmpty else { return }
        var events: [NotificationEvent] = []
        let before = certificates
        for configuration in own {
            // A file that cannot be read is reported by whoever uses it.
            let certificate = await offload { () -> TLSCertificate? in
                do throws(TLSConfigurationError) {
                    return try TLSCertificate.own(configuration)
                } catch {
                    return nil
                }
            }
            guard let certificate, let begin = certificate.begin, let expiry = certificate.expiry,
                let path = configuration.certificateFile,
                let event = certificates.looked(
                    at: path, begin: Int64(begin), expiry: Int64(expiry), certificate.notAfter,
                    host: host, now: loop.secondsSince1970)
            else { continue }
            events.append(event)
        }
        post(events)
        guard certificates != before else { return }
        let now = certificates
        do {
            try await offload { try file.write(now) }
        } catch {
            log(.warning, "\(error): after a restart certificates are told again")
        }
    }
}
