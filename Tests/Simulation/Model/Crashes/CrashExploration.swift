internal import Deployment
internal import Supervisor
internal import Transport

/// Stops deployex at every disk operation of a change, in every way, starts it again on what is left, and
/// looks at what it makes of it.
package struct CrashExploration: Sendable {
    package enum Change: String, Sendable, CaseIterable {
        case firstDeployment = "first deployment"
        case fullDeployment = "full deployment"
        case rollback
        case hotUpgrade = "hot upgrade"
        case rollbackOfHotUpgrade = "rollback of a hot upgrade"
        case recovery = "start after an interrupted deployment"
    }

    /// What is wrong somewhere, how often, and where for example.
    package struct Problem: Equatable, Sendable {
        package var text: String
        package var count: Int
        package var example: String
    }

    package let change: Change
    package private(set) var pointCount = 0
    private var problems: [String: Problem] = [:]

    package var sortedProblems: [Problem] {
        problems.keys.sorted().compactMap { problems[$0] }
    }

    private let sabotage: Sabotage?

    package init(_ change: Change, seedCount: Int = 4, sabotage: Sabotage? = nil) throws {
        self.change = change
        self.sabotage = sabotage
        let before = try Self.checkpoint(before: change)
        let count = try Self.operationCount(of: change, after: before)
        for point in CrashPoint.all(operationCount: count, seedCount: seedCount) {
            explore(point, before)
        }
    }

    private mutating func explore(_ point: CrashPoint, _ before: CrashWorld.Checkpoint) {
        pointCount += 1
        let crash = CrashWorld(before, sabotage: sabotage)
        defer { crash.close() }
        do {
            try Self.begin(change, in: crash)
            crash.world.stop(
                at: .stop(point.progress), after: point.operation, ending: point.ending,
                seed: point.seed)
            try Self.perform(change, in: crash)
            try crash.runToStop()
            for text in try Self.problems(crash, after: change) { note(text, point) }
        } catch {
            note("\(error)", point)
        }
    }

    private mutating func note(_ text: String, _ point: CrashPoint) {
        problems[text, default: Problem(text: text, count: 0, example: "\(point)")].count += 1
    }

    // MARK: The changes

    /// 0.1.1 after 0.1.0, everything durable; before a first deployment nothing.
    private static func checkpoint(before change: Change) throws -> CrashWorld.Checkpoint {
        let crash = try deployed(change)
        defer { crash.close() }
        if change == .recovery {
            // In the exchange of the folders: done, and nothing after it.
            let exchange = try exchangeOperation()
            crash.world.stop(at: .stop(.all), after: exchange, ending: .kill, seed: 1)
            crash.publish("0.1.2")
            try crash.runToStop()
        }
        crash.world.disk.alter { $0.synchronizeAll() }
        return crash.checkpoint()
    }

    private static func deployed(_ change: Change) throws -> CrashWorld {
        let crash = CrashWorld()
        crash.start()
        try crash.settle(at: "nothing")
        guard change != .firstDeployment else { return crash }
        crash.publish("0.1.0")
        try crash.settle(at: "0.1.0")
        crash.publish("0.1.1", upgradesInPlace: change == .rollbackOfHotUpgrade)
        try crash.settle(at: "0.1.1")
        return crash
    }

    /// Which operation of a deployment is the exchange of the folders.
    private static func exchangeOperation() throws -> Int {
        let crash = try deployed(.recovery)
        defer { crash.close() }
        let operations = Guarded<[DiskOperation]>([])
        crash.world.disk.watch { _, operation in operations.withLock { $0.append(operation) } }
        crash.publish("0.1.2")
        try crash.settle(at: "0.1.2")
        let current = crash.world.layout.current(1)
        let index = operations.withLock { operations in
            operations.firstIndex {
                if case .exchange = $0 { $0.paths.contains(current) } else { false }
            }
        }
        guard let index else { preconditionFailure("A deployment exchanges its folders") }
        return index + 1
    }

    private static func operationCount(
        of change: Change, after before: CrashWorld.Checkpoint
    ) throws -> Int {
        let crash = CrashWorld(before)
        defer { crash.close() }
        try begin(change, in: crash)
        let count = crash.world.disk.operationCount
        try perform(change, in: crash)
        try crash.settle(at: target(of: change))
        return crash.world.disk.operationCount - count
    }

    private static func target(of change: Change) -> String {
        switch change {
        case .firstDeployment, .rollback, .rollbackOfHotUpgrade: "0.1.0"
        case .fullDeployment, .hotUpgrade, .recovery: "0.1.2"
        }
    }

    /// What comes before the first operation that may be the last.
    private static func begin(_ change: Change, in crash: CrashWorld) throws {
        guard change != .recovery else { return }
        crash.start()
        try crash.settle(at: change == .firstDeployment ? "nothing" : "0.1.1")
    }

    private static func perform(_ change: Change, in crash: CrashWorld) throws {
        switch change {
        case .firstDeployment: crash.publish("0.1.0")
        case .fullDeployment: crash.publish("0.1.2")
        case .rollback, .rollbackOfHotUpgrade: crash.rollBack()
        case .hotUpgrade: crash.publish("0.1.2", upgradesInPlace: true)
        case .recovery: crash.start()
        }
    }

    // MARK: What must hold

    private static func problems(_ crash: CrashWorld, after change: Change) throws -> [String] {
        var problems: [String] = []
        func check(_ holds: Bool, _ text: @autoclosure () -> String) {
            if !holds { problems.append(text()) }
        }
        let folders = crash.world.layout
        let left = crash.standing(folders.current(1))
        switch change {
        case .hotUpgrade, .rollbackOfHotUpgrade: break
        case .firstDeployment:
            check(left == .nothing || left.version != nil, "before the start: \(left)")
        case .fullDeployment, .rollback, .recovery:
            check(left.version != nil, "before the start: \(left)")
        }
        crash.world.onStart = { world in
            problems += found(world, after: change)
        }
        try crash.settle()
        let settled = crash.standing(folders.current(1)).version
        check(versions(after: change).contains(settled ?? ""), "\(settled ?? "nothing") runs")
        let names = try crash.world.disk.list(folders.instanceFolder(1))
        check(names.allSatisfy { ["current", "previous"].contains($0) }, "left behind: \(names)")
        let first = crash.world.deployex?.snapshot.instances[0]
        crash.world.onStart = { world in
            let again = world.deployex?.snapshot.instances[0]
            check(
                again?.current == first?.current && again?.previous == first?.previous,
                "a second start finds \(again?.current?.description ?? "nothing") after "
                    + "\(first?.current?.description ?? "nothing")")
        }
        crash.world.deployexDies(.kill, "for a second start")
        try crash.settle()
        crash.world.onStart = nil
        crash.publish("0.1.3")
        try crash.settle(at: "0.1.3")
        return problems
    }

    private static func versions(after change: Change) -> [String] {
        switch change {
        case .firstDeployment: ["0.1.0"]
        case .fullDeployment, .hotUpgrade: ["0.1.1", "0.1.2"]
        case .rollback, .rollbackOfHotUpgrade: ["0.1.0", "0.1.1"]
        case .recovery: ["0.1.2"]
        }
    }

    /// What a start that finds no process must have found on the disk.
    private static func found(_ world: SimulatedWorld, after change: Change) -> [String] {
        guard let instance = world.deployex?.snapshot.instances[0],
            world.host.processes(of: 1).isEmpty
        else { return [] }
        var problems: [String] = []
        func check(_ holds: Bool, _ text: @autoclosure () -> String) {
            if !holds { problems.append(text()) }
        }
        let standing = world.standing(1)
        guard case .whole(let release) = standing else {
            let isEmpty = standing == .nothing && change == .firstDeployment
            check(
                isEmpty && instance.current == nil,
                "current is \(standing), found as \(instance.current?.description ?? "nothing")")
            return problems
        }
        check(
            versions(after: change).contains(release.version),
            "\(release.version) stands in current")
        check(
            instance.current?.id == ReleaseID(version: release.version, hash: release.hash),
            "\(release.version) is found as \(instance.current?.description ?? "nothing")")
        let kind: DeploymentKind =
            (change == .hotUpgrade && release.version == "0.1.2")
                || (change == .rollbackOfHotUpgrade && release.version == "0.1.1")
            ? .hotUpgrade : .fullDeployment
        check(
            instance.current?.deployment == kind,
            "\(release.version) came by \(kind), found \(instance.current?.deployment as Any)")
        // What is before it, and where.
        let previous = StandingRelease(
            in: world.layout.previous(1), of: Scenario.application, world.disk.image)
        if case .broken(let path) = previous { problems.append("previous is broken: \(path)") }
        let expected: String? =
            switch (change, release.version) {
            case (.firstDeployment, _): nil
            case (.fullDeployment, "0.1.1"), (.hotUpgrade, "0.1.1"): "0.1.0"
            case (.fullDeployment, _), (.hotUpgrade, _), (.recovery, _): "0.1.1"
            case (.rollback, "0.1.1"), (.rollbackOfHotUpgrade, "0.1.1"): "0.1.0"
            case (.rollback, _), (.rollbackOfHotUpgrade, _): nil
            }
        check(
            instance.previous?.version == expected,
            "\(release.version): before it \(expected ?? "nothing") stood, found "
                + "\(instance.previous?.version ?? "nothing")")
        if kind == .fullDeployment, change != .rollbackOfHotUpgrade {
            check(
                previous.version == expected, "\(release.version): \(previous) stands in previous")
        }
        return problems
    }
}

extension DeployedRelease {
    package var description: String { "\(version) \(hash) \(deployment.rawValue)" }
}
