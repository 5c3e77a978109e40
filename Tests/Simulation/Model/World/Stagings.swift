internal import Deployment
internal import Supervisor
internal import Transport

/// Watches that all instances are staged before the first is touched, and that nothing staged stays
/// behind. It begins with each deployex.
struct Stagings {
    /// What is asked for and has no answer.
    private var underWay: Set<InstanceNumber> = []
    private var staged: [InstanceNumber: ReleaseID] = [:]
    private var failed: [InstanceNumber: ReleaseID] = [:]
    private var stagedAt: [InstanceNumber: MonotonicTime] = [:]
    /// The hot upgrades under way for which everything was made when their release was staged: until
    /// when that holds.
    private var upgrading: [InstanceNumber: MonotonicTime] = [:]
    /// The rollout that was looked at last.
    private var seen: (instance: InstanceNumber, begin: MonotonicTime)?
    /// Since when something stands staged that nobody wants.
    private var unwantedSince: [InstanceNumber: MonotonicTime] = [:]
    /// Where the disk would not let it be removed.
    private var stuck: Set<InstanceNumber> = []
    private var nextLook = MonotonicTime(nanoseconds: 0)

    /// Returns what is wrong with the decisions.
    mutating func examine(
        _ actions: [EngineAction], after event: EngineEvent, _ snapshot: ApplicationSnapshot,
        at now: MonotonicTime
    ) -> String? {
        var wrong: [String] = []
        switch event {
        case .staged(let number, let release, _):
            underWay.remove(number)
            staged[number] = release.id
            stagedAt[number] = now
        case .hotUpgraded(let number, _, _), .hotUpgradeFailed(let number, _, _, _),
            .nodeRestarts(let number, _, _), .configurationFailed(let number, _, _, _):
            upgrading[number] = nil
        case .stagingFailed(let number, let release, _):
            underWay.remove(number)
            staged[number] = nil
            failed[number] = release.id
        default: break
        }
        wrong += examineRollout(snapshot)
        for action in actions {
            switch action {
            case .stage(let number, _, _):
                if !underWay.insert(number).inserted { wrong.append("\(number) is staged twice") }
                if underWay.count > 2 { wrong.append("\(underWay.count) are staged at once") }
                (staged[number], failed[number]) = (nil, nil)
            case .discardStaged(let number): staged[number] = nil
            case .promote(let number, let release), .hotUpgrade(let number, _, let release):
                if staged[number] != release.id {
                    wrong.append("instance \(number): \(release.version) is not staged: \(action)")
                }
                if case .hotUpgrade = action, release.preCommands.isEmpty {
                    upgrading[number] = stagedAt[number].map { $0 + .seconds(50) }
                }
            default: break
            }
        }
        return wrong.first
    }

    /// What was missing when the rollout began.
    private mutating func examineRollout(_ snapshot: ApplicationSnapshot) -> [String] {
        guard let rollout = snapshot.rollout, rollout.staging == nil,
            let begin = rollout.steps.first?.begin,
            seen.map({ $0 != (rollout.instance, begin) }) ?? true
        else { return [] }
        seen = (rollout.instance, begin)
        // The way back, and what an earlier deployex began, need no package.
        guard rollout.steps.first?.phase == .staging, let wanted = staged[rollout.instance] else {
            return []
        }
        return snapshot.instances.compactMap { instance in
            let number = instance.number
            guard number != rollout.instance, !instance.isStoppedByOperator,
                instance.current?.version != rollout.version, instance.previous?.id != wanted,
                staged[number] != wanted, failed[number] != wanted
            else { return nil }
            return
                "instance \(rollout.instance) is changed to \(rollout.version) before it is staged for "
                + "instance \(number)"
        }
    }

    /// What the node waits for has been made before.
    func evaluated(_ folder: String, _ world: SimulatedWorld) -> String? {
        for (number, end) in upgrading where world.layout.new(number) == folder && world.now < end {
            return "instance \(number): its configuration is asked for while it is upgraded"
        }
        return nil
    }

    // MARK: On the disk

    /// For the next deployex, which has said what it could not remove before it began.
    var restarted: Stagings {
        var next = Stagings()
        next.stuck = stuck
        return next
    }

    mutating func logged(_ text: String) {
        // A failed removal, and a move whose rest comes with the next work on the folders.
        let starts = [
            "removing what was staged for", "completing what was under way at", "deploying ",
        ]
        guard starts.contains(where: { text.hasPrefix($0) }),
            let range = text.firstRange(of: " instance: "),
            let value = Int(text[range.upperBound...].prefix { $0.isNumber })
        else { return }
        stuck.insert(InstanceNumber(value))
    }

    /// What has stood in an instance's `new` for long although nobody wants it there.
    mutating func leftBehind(in world: SimulatedWorld) -> String? {
        guard world.now >= nextLook else { return nil }
        nextLook = world.now + .seconds(1)
        guard let deployex = world.deployex, deployex.isRunning else {
            unwantedSince = [:]
            return nil
        }
        let snapshot = deployex.snapshot
        for instance in snapshot.instances {
            let number = instance.number
            let standing = StandingRelease(
                in: world.layout.new(number), of: Scenario.application, world.disk.image)
            var isWanted = false
            if case .whole(let release) = standing, !instance.isStoppedByOperator {
                // The same version with other bytes may be wanted, too.
                isWanted =
                    release.version == snapshot.targetVersion
                    && instance.current?.id
                        != ReleaseID(version: release.version, hash: release.hash)
            }
            if standing == .nothing { stuck.remove(number) }
            guard standing != .nothing, !isWanted, !stuck.contains(number),
                snapshot.rollout?.instance != number
            else {
                unwantedSince[number] = nil
                continue
            }
            let since = unwantedSince[number] ?? world.now
            unwantedSince[number] = since
            guard world.now - since < .seconds(15) else {
                return "instance \(number): \(standing) stays staged, and nobody wants it"
            }
        }
        return nil
    }
}
