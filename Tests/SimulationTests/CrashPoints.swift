import Deployment
import Simulation
import Supervisor

/// One instance's folders on a simulated disk, and what production code does with them.
struct InstanceOnDisk {
    let disk = SimulatedDisk(roots: ["/base"])
    let layout = DeploymentLayout(basePath: "/base", application: "counter")

    var state: InstanceState { InstanceState(layout: layout, instance: 1, files: disk) }
    private var records: InstanceRecordFolder {
        InstanceRecordFolder(base: "/base", fileSystem: disk)
    }

    init() throws {
        try records.prepare()
        try state.prepare()
    }

    static func release(_ version: String) -> SimulatedRelease {
        SimulatedRelease(application: "counter", version: version, hash: "hash-\(version)")
    }

    static func deployed(
        _ version: String, _ kind: DeploymentKind = .fullDeployment
    ) -> DeployedRelease {
        DeployedRelease(version: version, hash: "hash-\(version)", deployment: kind)
    }

    func stage(_ version: String) throws {
        let staging = StagingFolder(path: layout.new(1), files: disk)
        let temporary = try staging.makeTemporary()
        try Self.release(version).write(into: temporary, disk)
        try staging.put(temporary)
    }

    /// As the deployer does it.
    func deploy(_ version: String) throws {
        try stage(version)
        try state.promote(to: Self.deployed(version))
        try state.discardStaged()
    }

    /// What the node and the deployer do to the disk in a hot upgrade.
    func hotUpgrade(from: String, to: String) throws {
        try stage(to)
        disk.alter { [layout] image throws(FileSystemError) in
            try Self.release(to).add(to: layout.current(1), &image)
            image.synchronizeAll()
        }
        // make_permanent: by truncating, not synced.
        disk.alter { [layout] image throws(FileSystemError) in
            try image.overwrite(
                layout.current(1) + "/releases/start_erl.data", with: Array("13.1.5 \(to)".utf8))
        }
        try state.recordHotUpgrade(to: Self.deployed(to, .hotUpgrade), from: Self.deployed(from))
        try state.discardStaged()
    }

    /// What a start of deployex does with the disk, up to a spawn.
    func startUp() throws -> InstanceState.Found {
        try records.prepare()
        try state.prepare()
        return try state.find()
    }

    func prepareSpawn() throws {
        try HotUpgradeFiles.restorePristineConfiguration(layout.current(1), files: disk)
        try ReleasesFile.write(for: layout.current(1), name: "counter", files: disk)
    }

    func standing(_ folder: String) -> StandingRelease {
        StandingRelease(in: folder, of: "counter", disk.image)
    }
}

/// Every place at which something may stop, and every way of it.
struct CrashPoint: CustomStringConvertible {
    var operation: Int
    var progress: DiskFault.Progress
    var ending: SimulatedDisk.Ending
    var seed: UInt64

    var description: String { "stopped at \(operation) (\(progress)), \(ending), seed \(seed)" }

    /// All of them for what `body` does after `setUp`; `check` is called for each.
    static func explore(
        _ setUp: (InstanceOnDisk) throws -> Void, _ body: (InstanceOnDisk) throws -> Void,
        check: (InstanceOnDisk, CrashPoint) throws -> Void
    ) throws {
        let counted = try InstanceOnDisk()
        try setUp(counted)
        let before = counted.disk.operationCount
        try body(counted)
        for operation in 1...(counted.disk.operationCount - before) {
            for progress in DiskFault.Progress.allCases {
                for point in points(operation, progress) {
                    let instance = try InstanceOnDisk()
                    try setUp(instance)
                    instance.disk.inject(.stop(progress), after: operation)
                    do { try body(instance) } catch FileSystemError.stopped {}
                    var random = SeededRandom(seed: point.seed)
                    instance.disk.restart(after: point.ending, using: &random)
                    try check(instance, point)
                }
            }
        }
    }

    private static func points(_ operation: Int, _ progress: DiskFault.Progress) -> [CrashPoint] {
        let kill = CrashPoint(operation: operation, progress: progress, ending: .kill, seed: 1)
        return [kill]
            + DiskImage.Survival.allCases.flatMap { survival in
                (UInt64(1)...8).map { seed in
                    CrashPoint(
                        operation: operation, progress: progress, ending: .powerCut(survival),
                        seed: seed)
                }
            }
    }
}
