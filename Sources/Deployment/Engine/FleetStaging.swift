internal import ErlDist
internal import Supervisor
internal import Transport

/// The staging of a release for every instance that needs its package, before the first of them is
/// touched. It does no I/O and reads no clock.
///
/// | step | what it means |
/// |---|---|
/// | `waiting` | its turn has not come: at most two packages are unpacked at the same time |
/// | `staging` | the package is fetched, checked and unpacked |
/// | `staged`  | the release stands in `new` and waits for the instance's rollout |
/// | `failed`  | it could not be staged, as the others have yet to show that they can |
/// | `left`    | it could not be staged, again and again: the others go on without it |
///
/// A failure ends the attempt: nothing more is begun, and when the answers under way have come, the
/// next attempt is postponed. What has been staged is kept. After the fourth attempt the instances
/// that have been staged go on. The others are tried again after them.
///
/// What is not wanted any more is discarded as soon as no answer about it is under way.
struct FleetStaging: Equatable {
    private var entries: [InstanceNumber: Entry] = [:]

    private struct Entry: Equatable {
        var release: Release
        /// What the instance had when the staging began: the decision is about the way from there.
        var from: DeployedRelease?
        var begin: MonotonicTime
        var step: Step

        var isStaged: Bool { if case .staged = step { true } else { false } }
        var hasFailed: Bool { if case .failed = step { true } else { false } }
    }

    private enum Step: Equatable {
        case waiting(hasFailed: Bool)
        case staging
        case staged(UpgradeDecision, end: MonotonicTime)
        case failed(reason: String)
        case left(reason: String)
    }

    enum Action: Equatable {
        /// An action for the deployer, passed on unchanged.
        case ask(EngineAction)
        /// An attempt begins.
        case begin
        /// The next attempt comes later.
        case postpone(Release, reason: String)
    }

    /// What is to be staged, as far as the rest of the engine decides it.
    struct Wanted {
        var release: Release
        /// The instances that need the package, in order.
        var instances: [Instance]
        /// Whether a staging may begin now.
        var mayStage: Bool
        /// Whether no rollout is under way.
        var isIdle: Bool
        /// How many attempts in a row have failed.
        var failureCount: Int
    }

    /// A release in an instance's `new`, ready to be deployed.
    struct Staged: Equatable {
        var decision: UpgradeDecision
        /// When its staging began, and when it ended.
        var begin: MonotonicTime
        var end: MonotonicTime
    }

    private static let atOnce = 2
    /// After 5, 10 and 20 seconds an instance that cannot be staged is left out.
    private static let patience = 3
}

// MARK: What it is

extension FleetStaging {
    /// Whether something is being staged.
    var isUnderWay: Bool { stagingCount > 0 }

    private var stagingCount: Int { entries.values.count { $0.step == .staging } }

    /// Whether an answer about that staging is awaited.
    func isStaging(_ number: InstanceNumber, _ release: Release) -> Bool {
        entries[number].map { $0.step == .staging && $0.release.id == release.id } ?? false
    }

    /// Whether the instance may be deployed: it is staged, and so is every other one, or it is left
    /// out.
    func mayDeploy(_ number: InstanceNumber) -> Bool {
        let isComplete = entries.values.allSatisfy { entry in
            switch entry.step {
            case .staged, .left: true
            case .waiting, .staging, .failed: false
            }
        }
        return isComplete && entries[number]?.isStaged == true
    }

    /// The staging that is shown, while one is under way.
    var snapshot: RolloutSnapshot? {
        let numbers = entries.keys.sorted()
        guard let first = numbers.first(where: { entries[$0]?.step == .staging }),
            let shown = entries[first]
        else { return nil }
        let staged = entries.values.count(where: \.isStaged)
        return RolloutSnapshot(
            instance: first, version: shown.release.version,
            steps: [.init(phase: .staging, begin: shown.begin)],
            staging: .init(stagedCount: staged, count: entries.count))
    }
}

// MARK: What happens

extension FleetStaging {
    mutating func staged(
        _ number: InstanceNumber, _ release: Release, _ decision: UpgradeDecision,
        now: MonotonicTime
    ) {
        guard isStaging(number, release) else { return }
        entries[number]?.step = .staged(decision, end: now)
    }

    mutating func failed(_ number: InstanceNumber, _ release: Release, _ reason: String) {
        guard isStaging(number, release) else { return }
        entries[number]?.step = .failed(reason: reason)
    }

    /// Hands over what is staged for an instance to its rollout.
    mutating func take(_ number: InstanceNumber) -> Staged? {
        guard let entry = entries[number], case .staged(let decision, let end) = entry.step else {
            return nil
        }
        entries[number] = nil
        return Staged(decision: decision, begin: entry.begin, end: end)
    }

    /// Discards what is not wanted, and begins what is. Called after every event.
    /// - Parameter wanted: `nil`: nothing.
    mutating func update(_ wanted: Wanted?, now: MonotonicTime) -> [Action] {
        let discarded = discard(all: { !Self.isWanted($1, at: $0, wanted) })
        guard let wanted else { return discarded }
        for instance in wanted.instances where entries[instance.number] == nil {
            entries[instance.number] = Entry(
                release: wanted.release, from: instance.current, begin: now,
                step: .waiting(hasFailed: false))
        }
        let ended = endAttempt(wanted)
        let isPostponed = ended.contains { if case .postpone = $0 { true } else { false } }
        return discarded + ended + (isPostponed ? [] : begin(wanted, now: now))
    }

    private static func isWanted(
        _ entry: Entry, at number: InstanceNumber, _ wanted: Wanted?
    ) -> Bool {
        guard let wanted, entry.release == wanted.release,
            let instance = wanted.instances.first(where: { $0.number == number })
        else { return false }
        return instance.current == entry.from
    }

    private mutating func discard(all isDiscarded: (InstanceNumber, Entry) -> Bool) -> [Action] {
        var actions: [Action] = []
        for number in entries.keys.sorted() {
            guard let entry = entries[number], isDiscarded(number, entry) else { continue }
            switch entry.step {
            // Its answer comes first.
            case .staging: continue
            case .staged: actions.append(.ask(.discardStaged(number)))
            case .waiting, .failed, .left: break
            }
            entries[number] = nil
        }
        return actions
    }

    /// Ends an attempt that has failed: the next one is postponed, or what has been staged goes on.
    private mutating func endAttempt(_ wanted: Wanted) -> [Action] {
        guard !isUnderWay else { return [] }
        var actions: [Action] = []
        let hasStaged = entries.values.contains(where: \.isStaged)
        let isPatient = wanted.failureCount < Self.patience || !hasStaged
        var reason: String?
        for number in entries.keys.sorted() {
            switch entries[number]?.step {
            case .failed(let failure) where isPatient:
                reason = reason ?? failure
                entries[number]?.step = .waiting(hasFailed: true)
            case .failed(let failure):
                entries[number]?.step = .left(reason: failure)
                let text = "Instance: \(number) cannot be staged, the others go on: \(failure)"
                actions.append(.ask(.log(.error, text)))
            case .left(let failure) where wanted.isIdle && !hasStaged:
                // The others are through.
                reason = reason ?? failure
                entries[number]?.step = .waiting(hasFailed: true)
            case .left, .waiting, .staging, .staged, nil: break
            }
        }
        return actions + (reason.map { [.postpone(wanted.release, reason: $0)] } ?? [])
    }

    private mutating func begin(_ wanted: Wanted, now: MonotonicTime) -> [Action] {
        guard wanted.mayStage, !entries.values.contains(where: \.hasFailed) else { return [] }
        let isFirst = !isUnderWay
        var actions: [Action] = []
        // One that has failed does not keep the others from their turn.
        for hasFailed in [false, true] {
            for instance in wanted.instances
            where entries[instance.number]?.step == .waiting(hasFailed: hasFailed) {
                guard stagingCount < Self.atOnce else { break }
                let (number, from) = (instance.number, instance.current?.version)
                entries[number]?.begin = now
                entries[number]?.step = .staging
                actions += [
                    .ask(.log(.info, Self.text(instance, wanted.release))),
                    .ask(.stage(number, wanted.release, running: from)),
                ]
            }
        }
        return isFirst && isUnderWay ? [.begin] + actions : actions
    }

    /// The line with which the deployment of an instance begins.
    static func text(_ instance: Instance, _ release: Release) -> String {
        "Update is needed at instance: \(instance.number) from: "
            + "\(instance.current?.version ?? "none") to: \(release.version)."
    }
}
