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
    private let senders: [NotificationSender]
    private var policy: NotificationPolicy
    /// How near to its end a certificate was when that was told: see ``stage(_:)``.
    private var stages: [String: (stage: Int, expiry: Int64)] = [:]
    /// The thresholds that instances are over, by their names.
    private var over: Set<String> = []
    private var work: Task<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private static let interval = Duration.seconds(30)
    /// Certificates are looked at every hour.
    private static let roundsPerLook = 120

    /// - Throws: ``UsageError`` if a proxy's variable cannot be used.
    init(
        _ sinks: [NotificationSink], host: String, environment: [String: String], loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) throws(UsageError) {
        let client: HTTPClient
        do throws(HTTPProxyError) {
            client = HTTPClient(
                loop: loop, trust: HTTPTrust(environment: environment),
                proxies: try HTTPProxies(environment: environment))
        } catch {
            throw UsageError("\(error)", "start")
        }
        senders = sinks.map { NotificationSender($0, client: client, loop: loop, log: log) }
        policy = NotificationPolicy(host: host)
        self.host = host
        self.loop = loop
    }

    /// Looks from time to time at what no change announces.
    /// - Parameter certificates: whose own certificates are looked at.
    func start(_ certificates: [TLSConfiguration]) {
        work = Task(executorPreference: loop) {
            var round = 0
            while !Task.isCancelled {
                if round % Self.roundsPerLook == 0 {
                    for configuration in certificates { await self.look(at: configuration) }
                }
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
        for sender in senders { await sender.stop() }
    }

    func changed(_ snapshot: ApplicationSnapshot) {
        post(policy.changed(snapshot, at: loop.secondsSince1970, now: .now))
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
            for sender in senders { sender.assumeIsolated { $0.post(event) } }
        }
    }

    private func look(at configuration: TLSConfiguration) async {
        // A file that cannot be read is reported by whoever uses it.
        let certificate = await offload { () -> TLSCertificate? in
            do throws(TLSConfigurationError) {
                return try TLSCertificate.own(configuration)
            } catch {
                return nil
            }
        }
        guard let certificate, let expiry = certificate.expiry,
            let file = configuration.certificateFile
        else { return }
        let now = loop.secondsSince1970
        let stage = Self.stage(Int64(expiry) - now)
        let before = stages[file] ?? (stage: 0, expiry: 0)
        stages[file] = (stage, Int64(expiry))
        // A certificate may be good for a few days only: a later one is what counts.
        let isRenewed = before.stage > 0 && Int64(expiry) > before.expiry && stage < 3
        guard isRenewed || stage > before.stage else { return }
        post([
            NotificationEvent(
                isRenewed ? .certificateRenewed : .certificateExpiring, host: host,
                subject: "certificate/\(file)", mark: "\(expiry) \(stage)", at: now,
                reason: "\(file), until \(certificate.notAfter)")
        ])
    }

    /// 0 while a certificate is good for 30 days, 1 below, 2 below 7 days, 3 when it has expired.
    static func stage(_ secondsLeft: Int64) -> Int {
        switch secondsLeft {
        case ..<0: 3
        case ..<(7 * 86_400): 2
        case ..<(30 * 86_400): 1
        default: 0
        }
    }
}
