package import Supervisor
package import Transport

/// What is watched against its limit.
package enum ThresholdKind: String, CaseIterable, Comparable, Sendable {
    /// The memory of the host.
    case memory
    /// Those of a node, which ends when they reach their limit.
    case atoms, processes, ports

    package static func < (left: ThresholdKind, right: ThresholdKind) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// From which share on, in percent, there is a warning, and from which a restart.
package struct Threshold: Equatable, Sendable {
    package var warn: Int
    /// `nil` if it never leads to a restart.
    package var restart: Int?

    package static let usualWarning = 75

    package init(warn: Int = Self.usualWarning, restart: Int? = nil) {
        self.warn = warn
        self.restart = restart
    }
}

/// Watches the thresholds of one application, and decides when one of its instances is restarted.
/// It reads no clock and asks nobody.
package struct ThresholdWatch: Equatable, Sendable {
    /// What is known of an instance at one moment.
    package struct Sample: Equatable, Sendable {
        package var percents: [ThresholdKind: Double]
        /// What the node uses of the host's memory.
        package var memoryByteCount: Int

        package init(percents: [ThresholdKind: Double], memoryByteCount: Int = 0) {
            self.percents = percents
            self.memoryByteCount = memoryByteCount
        }
    }

    package enum Action: Equatable, Sendable {
        /// A share has come to another level; said once.
        case report(InstanceNumber, ThresholdKind, percent: Double, ThresholdState.Level)
        case restart(InstanceNumber, ThresholdKind, percent: Double)
    }

    private struct State: Equatable {
        var level = ThresholdState.Level.ok
        var percent = 0.0
    }

    private let rules: [ThresholdKind: Threshold]
    private var states: [InstanceNumber: [ThresholdKind: State]] = [:]
    private var restarts: [InstanceNumber: MonotonicTime] = [:]
    private var lastRestart: MonotonicTime?
    /// How often there was a warning, and a restart, since deployex began.
    package private(set) var warningCounts: [InstanceNumber: [ThresholdKind: Int]] = [:]
    package private(set) var restartCounts: [InstanceNumber: [ThresholdKind: Int]] = [:]

    /// Also of instances that are not sampled at the moment.
    private var levels: [InstanceNumber: [ThresholdKind: ThresholdState.Level]] = [:]

    /// A level ends so many points below where it begins, so that it does not come and go.
    static let hysteresis = 5.0
    /// An instance is not restarted again within this time: a limit that a fresh process reaches at
    /// once is not helped by restarts.
    static let quiet: Duration = .seconds(1800)
    /// Nor is another one of the application within this time.
    static let pause: Duration = .seconds(120)

    package init(_ rules: [ThresholdKind: Threshold]) {
        self.rules = rules
    }

    /// Whether there is anything to watch.
    package var isIdle: Bool { rules.isEmpty }

    /// The figures of instances that are not sampled are forgotten; their counts and levels stay, so
    /// that what was told of them is not told again, and its end is.
    /// - Parameters:
    ///   - samples: of the instances whose nodes have answered.
    ///   - ready: the instances that are ready.
    ///   - isWhole: whether every instance that is to run is ready.
    package mutating func sampled(
        _ samples: [InstanceNumber: Sample], ready: Set<InstanceNumber>, isWhole: Bool,
        now: MonotonicTime
    ) -> [Action] {
        var actions: [Action] = []
        for number in Array(states.keys) where samples[number] == nil { states[number] = nil }
        for (number, sample) in samples.sorted(by: { $0.key.value < $1.key.value }) {
            for (kind, rule) in rules.sorted(by: { $0.key < $1.key }) {
                guard let percent = sample.percents[kind] else { continue }
                let before = levels[number]?[kind] ?? .ok
                let level = Self.level(percent, rule, before: before)
                levels[number, default: [:]][kind] = level
                states[number, default: [:]][kind] = State(level: level, percent: percent)
                guard level != before else { continue }
                actions.append(.report(number, kind, percent: percent, level))
                if before == .ok { warningCounts[number, default: [:]][kind, default: 0] += 1 }
            }
        }
        if let restart = restart(samples, ready: ready, isWhole: isWhole, now: now) {
            actions.append(restart)
        }
        return actions
    }

    private static func level(
        _ percent: Double, _ rule: Threshold, before: ThresholdState.Level
    ) -> ThresholdState.Level {
        func isAt(_ level: ThresholdState.Level, _ limit: Int?) -> Bool {
            guard let limit else { return false }
            return percent >= Double(limit) - (before >= level ? hysteresis : 0)
        }
        if isAt(.restart, rule.restart) { return .restart }
        return isAt(.warn, rule.warn) ? .warn : .ok
    }

    /// One instance at a time, while all others run, never the last one that is ready, and not
    /// again within a while.
    private mutating func restart(
        _ samples: [InstanceNumber: Sample], ready: Set<InstanceNumber>, isWhole: Bool,
        now: MonotonicTime
    ) -> Action? {
        guard isWhole, ready.count > 1 else { return nil }
        if let lastRestart, now - lastRestart < Self.pause { return nil }
        let candidates = samples.filter { number, _ in
            ready.contains(number)
                && restarts[number].map { now - $0 >= Self.quiet } ?? true
        }
        // The host's memory is over for all of them alike: the largest gives most of it back.
        let order = candidates.sorted {
            ($1.value.memoryByteCount, $0.key.value) < ($0.value.memoryByteCount, $1.key.value)
        }
        for (number, _) in order {
            let over = (states[number] ?? [:]).filter { $0.value.level == .restart }
            guard let (kind, state) = over.min(by: { $0.key < $1.key }) else { continue }
            restarts[number] = now
            lastRestart = now
            restartCounts[number, default: [:]][kind, default: 0] += 1
            return .restart(number, kind, percent: state.percent)
        }
        return nil
    }

    /// A restart was not carried out: it counts as none, and may be tried again after a pause.
    package mutating func refused(_ number: InstanceNumber, _ kind: ThresholdKind) {
        restarts[number] = nil
        if let count = restartCounts[number]?[kind], count > 0 {
            restartCounts[number]?[kind] = count - 1
        }
    }

    /// What the status shows of an instance.
    package func states(of number: InstanceNumber) -> [ThresholdState] {
        (states[number] ?? [:]).sorted { $0.key < $1.key }.map { kind, state in
            ThresholdState(
                name: kind.rawValue, percent: (state.percent * 10).rounded() / 10,
                level: state.level.rawValue,
                warnings: warningCounts[number]?[kind] ?? 0,
                restarts: restartCounts[number]?[kind] ?? 0)
        }
    }
}
