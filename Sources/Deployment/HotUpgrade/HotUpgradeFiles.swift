internal import ExternalTermFormat
package import Supervisor
internal import Transport

/// The work of a hot upgrade on the files of the release folder in which the node runs.
///
/// Every function blocks. Each may be repeated. Wherever it is interrupted, a node can boot from
/// the folder.
package struct HotUpgradeFiles: Sendable {
    /// The folder of the running release, `current/`.
    package var current: String
    /// The folder in which the new release is unpacked, `new/`.
    package var staged: String
    /// The package itself, a `.tar.gz`.
    package var package: String
    /// What its SHA-256 must be, if it was checked when it was unpacked.
    package var sha256: String?
    package var files: any FileSystem
}

extension HotUpgradeFiles {
    /// Removes an earlier attempt's remains, then copies the package to where `unpack_release`
    /// expects it.
    ///
    /// `unpack_release` keeps files that are there already, so another package's files would
    /// silently stay.
    package func placePackage(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        try removeRelease(plan)
        let folder = releaseFolder(plan.to)
        try files.makeFolder(folder, mode: 0o755)
        try files.copyFile(package, to: "\(folder)/\(plan.name).tar.gz", mode: 0o644)
        guard let sha256 else { return }
        // It may have changed since it was unpacked.
        let found = Digest.text(try files.sha256("\(folder)/\(plan.name).tar.gz"))
        guard found == sha256 else {
            try removeRelease(plan)
            throw .unusable(
                "\(package) has changed since it was unpacked: its sha256 is \(found), and it was "
                    + sha256)
        }
    }

    /// Copies both `.rel` files to `releases/NAME-VERSION.rel`, where `make_relup` is told to look.
    /// Also copies the new one back to `releases/TO/`, because `unpack_release` has deleted it
    /// there.
    package func copyReleaseResources(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        let name = plan.name
        try copyIfMissing(
            "\(releaseFolder(plan.from))/\(name).rel",
            to: "\(current)/releases/\(name)-\(plan.from).rel")
        let staged = "\(staged)/releases/\(plan.to)/\(name).rel"
        try copyIfMissing(staged, to: "\(current)/releases/\(name)-\(plan.to).rel")
        try copyIfMissing(staged, to: "\(releaseFolder(plan.to))/\(name).rel")
    }

    /// Throws when the relup that `systools` has written restarts the emulator, does not lead from
    /// FROM, or leaves something of FROM running.
    func inspectRelup(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        let path = "\(releaseFolder(plan.to))/relup"
        let relup: Relup
        do throws(FileSystemError) {
            let bytes = try ErlangFile.read(
                path, limit: Relup.maximumByteCount, files: files)
            guard let bytes else { throw .unusable("it was not written") }
            relup = try Relup(bytes)
        } catch {
            throw .unusable("\(path): \(error)")
        }
        guard relup.leads(from: plan.from) else {
            throw .unusable("it does not lead from \(plan.from)")
        }
        guard !relup.restartsEmulator(from: plan.from) else {
            throw .unusable("it restarts the emulator")
        }
        let comparison = try ReleaseComparison.read(
            current: current, staged: staged, name: plan.name, from: plan.from, to: plan.to,
            files: files)
        if let omission = try comparison.omission(in: relup) { throw .unusable(omission) }
    }

    /// Removes the new version's folder and the libraries that no other release here uses.
    ///
    /// Precondition: the node does not run the new version. If the libraries of any other release
    /// are unknown, all libraries stay.
    package func removeRelease(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        guard isPathComponent(plan.name), isPathComponent(plan.to), plan.from != plan.to else {
            throw .unusable("\(plan.to) does not belong into a path")
        }
        for library in disposableLibraries(plan) {
            try files.removeTree("\(current)/lib/\(library)")
        }
        try files.removeTree(releaseFolder(plan.to))
        try files.removeFile("\(current)/releases/\(plan.name)-\(plan.to).rel")
    }

    private func disposableLibraries(_ plan: HotUpgrade.Plan) -> [String] {
        do throws(FileSystemError) {
            let new = try ReleaseContents.read(
                staged, name: plan.name, version: plan.to, files: files)
            var disposable = Set(new.applications.compactMap(\.folderName))
            for version in try otherVersions(plan) {
                let kept = try ReleaseContents.read(
                    current, name: plan.name, version: version, files: files)
                disposable.subtract(kept.applications.compactMap(\.folderName))
            }
            return disposable.sorted()
        } catch {
            return []
        }
    }

    /// The versions that have a folder in `releases/`, and the running one in any case.
    private func otherVersions(_ plan: HotUpgrade.Plan) throws(FileSystemError) -> [String] {
        let path = "\(current)/releases"
        return try [plan.from]
            + files.list(path).filter { entry in
                entry != plan.to && entry != plan.from
                    && fileKind(of: "\(path)/\(entry)", files) == .folder
            }
    }

    private func copyIfMissing(
        _ source: String, to destination: String
    ) throws(FileSystemError) {
        guard try files.status(destination) == nil else { return }
        try files.copyFile(source, to: destination, mode: 0o644)
    }

    private func releaseFolder(_ version: String) -> String {
        "\(current)/releases/\(version)"
    }
}

// MARK: - Configuration

extension HotUpgradeFiles {
    private static let pristineSuffix = ".pristine"

    /// Replaces the new version's `sys.config` by `text`, and keeps the pristine file beside it.
    ///
    /// The copy of the pristine file is durable before anything changes, so an interruption loses
    /// nothing.
    package func writeConfiguration(
        _ text: [UInt8], _ plan: HotUpgrade.Plan
    ) throws(FileSystemError) {
        let path = "\(releaseFolder(plan.to))/sys.config"
        let pristine = path + Self.pristineSuffix
        if try files.status(pristine) == nil {
            let bytes = try files.read(path, limit: ResolvedConfiguration.maximumByteCount)
            try files.replaceFile(pristine, with: bytes, mode: 0o644)
        }
        try files.replaceFile(path, with: text, mode: 0o600)
        // The node has synced none of the files that it unpacked, and is to boot from them soon.
        try files.synchronizeFileSystem(holding: releaseFolder(plan.to))
    }

    /// Puts the pristine `sys.config` of the new version back, if there is one beside it.
    package func restoreConfiguration(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        try Self.restoreConfiguration(releaseFolder(plan.to), files)
    }

    /// Puts back every pristine `sys.config` that an interrupted hot upgrade has left in a release
    /// folder.
    ///
    /// Call it before the release in `folder` is started. It may be repeated, and does nothing if
    /// there is no such file.
    package static func restorePristineConfiguration(
        _ folder: String, files: any FileSystem
    ) throws(FileSystemError) {
        let releases = "\(folder)/releases"
        guard try files.status(releases)?.kind == .folder else { return }
        for version in try files.list(releases) {
            try restoreConfiguration("\(releases)/\(version)", files)
        }
    }

    private static func restoreConfiguration(
        _ folder: String, _ files: any FileSystem
    ) throws(FileSystemError) {
        let path = "\(folder)/sys.config"
        guard try files.status(path + pristineSuffix)?.kind == .file else { return }
        try files.rename(path + pristineSuffix, to: path)
        try files.synchronizeFolder(folder)
    }
}
