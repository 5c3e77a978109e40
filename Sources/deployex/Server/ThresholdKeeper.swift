internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// Samples the nodes of applications that have thresholds, says when one is crossed, and restarts
/// instances where that is configured. ``ThresholdWatch`` decides.
actor ThresholdKeeper {
    /// Restarts an instance. It returns why it was not done.
    typealias Restart =
        @Sendable (InstanceName, _ reason: String) async -> String?

    private nonisolated let loop: EventLoop
    private let feed: ObservationFeed
    private let log: @Sendable (LogLevel, String) -> Void
    private var watches: [String: ThresholdWatch]
    private let rules: [String: [ThresholdKind: Threshold]]
    private var work: Task<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let interval: Duration
    private let notifier: Notifier?

    init(
        _ applications: [ApplicationConfiguration], feed: ObservationFeed,
        interval: Duration = .seconds(30), notifier: Notifier? = nil,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.feed = feed
        self.log = log
        self.interval = interval
        self.notifier = notifier
        loop = feed.loop
        rules = Dictionary(
            applications.filter { !$0.thresholds.isEmpty }.map { ($0.name, $0.thresholds) }
        ) { first, _ in first }
        watches = rules.mapValues { ThresholdWatch($0) }
    }

    /// Whether it samples.
    var isWatching: Bool { work != nil }

    /// Where an instance stands.
    func states(of instance: InstanceName) -> [ThresholdState] {
        watches[instance.app]?.states(of: instance.number) ?? []
    }

    /// Samples from now on, if there is anything to watch.
    func start(_ sampler: NodeSampler, restart: @escaping Restart) {
        guard !watches.isEmpty, work == nil else { return }
        work = Task(executorPreference: loop) {
            while !Task.isCancelled {
                for application in self.rules.keys.sorted() {
                    await self.look(at: application, sampler, restart)
                }
                await self.loop.sleep(for: self.interval)
            }
        }
    }

    func stop() {
        work?.cancel()
        work = nil
    }

    private func look(
        at application: String, _ sampler: NodeSampler, _ restart: Restart
    ) async {
        guard let snapshot = await feed.snapshot(of: application), let rules = rules[application]
        else { return }
        let wanted = snapshot.instances.filter { !$0.isStoppedByOperator }
        let ready = wanted.filter { $0.status == .running }
        let names = ready.filter(\.isConnected).map {
            InstanceName(app: application, number: $0.number)
        }
        let figures = await sampler.figures(of: names, within: .seconds(15))
        let memory = rules[.memory] == nil ? nil : await offload { HostMemory.ofHost() }
        var samples: [InstanceNumber: ThresholdWatch.Sample] = [:]
        for (name, figures) in figures {
            samples[name.number] = ThresholdWatch.Sample(figures, memory)
        }
        let before = watches[application]
        let actions =
            watches[application]?.sampled(
                samples, ready: Set(ready.map(\.number)), isWhole: ready.count == wanted.count,
                now: .now) ?? []
        for action in actions { await perform(action, of: application, restart) }
        if watches[application] != before { await feed.publish(.application(application)) }
    }

    private func perform(
        _ action: ThresholdWatch.Action, of application: String, _ restart: Restart
    ) async {
        switch action {
        case .report(let number, let kind, let percent, let level):
            let text = "\(application): instance \(number): \(kind.sentence(percent))"
            switch level {
            case .ok: log(.info, "\(text), below the threshold again")
            case .warn: log(.warning, "\(text), over the threshold")
            case .restart: log(.warning, "\(text), over the threshold of a restart")
            }
            await notifier?.crossed(
                InstanceName(app: application, number: number), kind.rawValue,
                isOver: level != .ok, kind.sentence(percent))
        case .restart(let number, let kind, let percent):
            let name = InstanceName(app: application, number: number)
            guard let refusal = await restart(name, "a threshold: \(kind.sentence(percent))") else {
                return
            }
            watches[application]?.refused(number, kind)
            log(.warning, "\(application): instance \(number) is not restarted: \(refusal)")
        }
    }
}

extension ThresholdWatch.Sample {
    fileprivate init(_ figures: NodeFigures, _ memory: HostMemory?) {
        let sample = figures.sample
        var percents: [ThresholdKind: Double] = [
            .atoms: sample.atoms.percent, .processes: sample.processes.percent,
            .ports: sample.ports.percent,
        ]
        percents[.memory] = memory?.usedPercent
        self.init(percents: percents, memoryByteCount: sample.memory.total)
    }
}

extension ThresholdKind {
    fileprivate func sentence(_ percent: Double) -> String {
        let share = "\((percent * 10).rounded() / 10) %"
        return switch self {
        case .memory: "\(share) of the host's memory is in use"
        case .atoms, .processes, .ports: "\(share) of the \(rawValue) that its node may have"
        }
    }
}
