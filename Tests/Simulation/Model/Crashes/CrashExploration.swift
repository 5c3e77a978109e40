internal import Deployment
internal import Supervisor

/// Stops a change of an instance's folders at every disk operation, in every way, starts deployex again
/// on what is left, and looks at what it makes of it.
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

    package init(_ change: Change, seedCount: Int = 8) throws {
        self.change = change
        let counted = try Self.prepared(for: change)
        let before = counted.disk.operationCount
        try Self.perform(change, on: counted)
        let count = counted.disk.operationCount - before
        for point in CrashPoint.all(operationCount: count, seedCount: seedCount) {
            try explore(point)
        }
    }

    private mutating func explore(_ point: CrashPoint) throws {
        pointCount += 1
        let instance = try Self.prepared(for: change)
        instance.disk.inject(.stop(point.progress), after: point.operation)
        do { try Self.perform(change, on: instance) } catch FileSystemError.stopped {}
        var random = SeededRandom(seed: point.seed)
        instance.disk.restart(after: point.ending, using: &random)
        do throws(FileSystemError) {
            for text in try Self.problems(instance, after: change) { note(text, point) }
        } catch {
            note("start-up throws: \(error)", point)
        }
    }

    private mutating func note(_ text: String, _ point: CrashPoint) {
        problems[text, default: Problem(text: text, count: 0, example: "\(point)")].count += 1
    }

    // MARK: The changes

    /// 0.1.1 after 0.1.0, everything durable; before a first deployment nothing.
    private static func prepared(for change: Change) throws(FileSystemError) -> InstanceOnDisk {
        let instance = try InstanceOnDisk()
        guard change != .firstDeployment else { return instance }
        try instance.deploy("0.1.0")
        try instance.prepareSpawn()
        switch change {
        case .firstDeployment, .fullDeployment, .rollback, .hotUpgrade:
            try instance.deploy("0.1.1")
        case .rollbackOfHotUpgrade:
            try instance.hotUpgrade(from: "0.1.0", to: "0.1.1")
        case .recovery:
            try instance.deploy("0.1.1")
            try instance.stage("0.1.2")
            // In the exchange of the folders: done, and nothing after it.
            let operation = try exchangeOperation()
            instance.disk.inject(.stop(.all), after: operation)
            do throws(FileSystemError) {
                try instance.state.promote(to: InstanceOnDisk.deployed("0.1.2"))
            } catch {}
            var random = SeededRandom(seed: 1)
            instance.disk.restart(after: .kill, using: &random)
        }
        if change != .recovery { try instance.prepareSpawn() }
        instance.disk.alter { $0.synchronizeAll() }
        return instance
    }

    /// Which operation of a promotion is the exchange.
    private static func exchangeOperation() throws(FileSystemError) -> Int {
        let instance = try InstanceOnDisk()
        try instance.deploy("0.1.1")
        try instance.stage("0.1.2")
        var operation = 1
        while true {
            let attempt = try InstanceOnDisk()
            try attempt.deploy("0.1.1")
            try attempt.stage("0.1.2")
            attempt.disk.inject(.stop(.all), after: operation)
            do throws(FileSystemError) {
                try attempt.state.promote(to: InstanceOnDisk.deployed("0.1.2"))
            } catch {}
            if attempt.standing(attempt.layout.current(1)).version == "0.1.2" { return operation }
            operation += 1
        }
    }

    private static func perform(
        _ change: Change, on instance: InstanceOnDisk
    ) throws(FileSystemError) {
        switch change {
        case .firstDeployment: try instance.deploy("0.1.0")
        case .fullDeployment: try instance.deploy("0.1.2")
        case .rollback, .rollbackOfHotUpgrade:
            _ = try instance.state.revert(to: InstanceOnDisk.deployed("0.1.0").id)
            try instance.state.clean()
        case .hotUpgrade: try instance.hotUpgrade(from: "0.1.1", to: "0.1.2")
        case .recovery: _ = try instance.startUp()
        }
    }

    // MARK: What must hold

    private static func problems(
        _ instance: InstanceOnDisk, after change: Change
    ) throws(FileSystemError) -> [String] {
        var problems: [String] = []
        let folders = instance.layout
        func check(_ holds: Bool, _ text: @autoclosure () -> String) {
            if !holds { problems.append(text()) }
        }
        let left = instance.standing(folders.current(1))
        switch change {
        case .hotUpgrade, .rollbackOfHotUpgrade: break
        case .firstDeployment:
            check(left == .nothing || left.version != nil, "before the start: \(left)")
        case .fullDeployment, .rollback, .recovery:
            check(left.version != nil, "before the start: \(left)")
        }
        let found = try instance.startUp()
        try instance.prepareSpawn()
        let standing = instance.standing(folders.current(1))
        guard case .whole(let release) = standing else {
            let isEmpty = standing == .nothing && change == .firstDeployment
            check(
                isEmpty && found.current == nil,
                "current is \(standing), found as \(found.current as Any)")
            return problems
        }
        let versions: [String] =
            switch change {
            case .firstDeployment: ["0.1.0"]
            case .fullDeployment, .hotUpgrade: ["0.1.1", "0.1.2"]
            case .rollback, .rollbackOfHotUpgrade: ["0.1.0", "0.1.1"]
            case .recovery: ["0.1.2"]
            }
        check(versions.contains(release.version), "\(release.version) stands in current")
        check(
            found.current?.id
                == ReleaseID(version: release.version, hash: "hash-" + release.version),
            "\(release.version) is found as \(found.current?.description ?? "nothing")")
        let kind: DeploymentKind =
            (change == .hotUpgrade && release.version == "0.1.2")
                || (change == .rollbackOfHotUpgrade && release.version == "0.1.1")
            ? .hotUpgrade : .fullDeployment
        check(
            found.current?.deployment == kind,
            "\(release.version) came by \(kind), found \(found.current?.deployment as Any)")
        // What is before it, and where.
        let previous = instance.standing(folders.previous(1))
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
            found.previous?.version == expected,
            "\(release.version): before it \(expected ?? "nothing") stood, found \(found.previous?.version ?? "nothing")"
        )
        if kind == .fullDeployment, change != .rollbackOfHotUpgrade {
            check(
                previous.version == expected, "\(release.version): \(previous) stands in previous")
        }
        try checkLater(instance, found, check)
        return problems
    }

    /// A second start finds the same, nothing is left lying about, and the next deployment succeeds.
    private static func checkLater(
        _ instance: InstanceOnDisk, _ found: InstanceState.Found,
        _ check: (Bool, @autoclosure () -> String) -> Void
    ) throws(FileSystemError) {
        let again = try instance.startUp()
        check(
            again.current == found.current && again.previous == found.previous,
            "a second start finds \(again.current?.description ?? "nothing") after \(found.current?.description ?? "nothing")"
        )
        check(again.findings == [], "a second start has findings: \(again.findings)")
        let names = try instance.disk.list(instance.layout.instanceFolder(1))
        check(names.allSatisfy { ["current", "previous"].contains($0) }, "left behind: \(names)")
        try instance.deploy("0.1.3")
        check(
            instance.standing(instance.layout.current(1)).version == "0.1.3",
            "the next deployment is not there")
    }
}

extension DeployedRelease {
    package var description: String { "\(version) \(hash) \(deployment.rawValue)" }
}
