package import Deployment
package import Supervisor

/// One instance's folders on a simulated disk, and what production code does with them.
package struct InstanceOnDisk: Sendable {
    package let disk = SimulatedDisk(roots: ["/base"])
    package let layout = DeploymentLayout(basePath: "/base", application: "counter")

    package var state: InstanceState { InstanceState(layout: layout, instance: 1, files: disk) }
    private var records: InstanceRecordFolder {
        InstanceRecordFolder(base: "/base", fileSystem: disk)
    }

    package init() throws(FileSystemError) {
        try records.prepare()
        try state.prepare()
    }

    static func release(_ version: String) -> SimulatedRelease {
        SimulatedRelease(application: "counter", version: version, hash: "hash-\(version)")
    }

    package static func deployed(
        _ version: String, _ kind: DeploymentKind = .fullDeployment
    ) -> DeployedRelease {
        DeployedRelease(version: version, hash: "hash-\(version)", deployment: kind)
    }

    package func stage(_ version: String) throws(FileSystemError) {
        let release: Release
        do throws(ReleaseError) {
            release = try Release(version: version, hash: "hash-\(version)")
        } catch {
            preconditionFailure("\(error)")
        }
        try Self.release(version).stage(in: layout.new(1), as: release, disk)
    }

    /// As the deployer does it.
    package func deploy(_ version: String) throws(FileSystemError) {
        try stage(version)
        try state.promote(to: Self.deployed(version))
        try state.discardStaged()
        try state.clean()
    }

    /// What the node and the deployer do to the disk in a hot upgrade.
    package func hotUpgrade(from: String, to: String) throws(FileSystemError) {
        try stage(to)
        try state.beginHotUpgrade(to: Self.deployed(to, .hotUpgrade))
        disk.alter { [layout] image throws(FileSystemError) in
            try Self.release(to).add(to: layout.current(1), &image)
            image.synchronizeAll()
        }
        // make_permanent: by truncating, not synced.
        disk.alter { [layout] image throws(FileSystemError) in
            try Self.release(to).makePermanent(in: layout.current(1), &image)
        }
        try state.recordHotUpgrade(to: Self.deployed(to, .hotUpgrade), from: Self.deployed(from))
        try state.discardStaged()
    }

    /// What a start of deployex does with the disk, up to a spawn.
    package func startUp() throws(FileSystemError) -> InstanceState.Found {
        try records.prepare()
        try state.prepare()
        let found = try state.recover(isRunning: false)
        try state.clean()
        return found
    }

    /// What a spawn does before the program runs.
    package func prepareSpawn() throws(FileSystemError) {
        _ = try state.prepareBoot()
        try HotUpgradeFiles.restorePristineConfiguration(layout.current(1), files: disk)
        // Without RELEASES it boots, too.
        do { try ReleasesFile.write(for: layout.current(1), name: "counter", files: disk) } catch {}
    }

    package func standing(_ folder: String) -> StandingRelease {
        StandingRelease(in: folder, of: "counter", disk.image)
    }
}
