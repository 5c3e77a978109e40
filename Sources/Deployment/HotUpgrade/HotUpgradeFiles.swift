internal import ExternalTermFormat
package import Supervisor

/// The work of a hot upgrade on the files of the release folder in which the node runs.
///
/// Every function blocks. Each may be repeated. Wherever it is interrupted, a node can boot from
/// the folder.
package struct HotUpgradeFiles: Sendable {
    /// The folder of the running release, `current/`.
    package var current: String
    /// The folder in which the new release is unpacked, `new/`.
    package var staged: String
    package var files: any FileSystem
}

extension HotUpgradeFiles {
    /// How deep the folders of a release are.
    private static let maximumDepth = 64

    /// Removes an earlier attempt's remains, then copies from the staged release what the running
    /// one has not: the libraries of other versions, and `releases/TO`, with the relup in it.
    ///
    /// A library of the running release is the same in the new one: ``ReleaseComparison`` has seen to
    /// it. Any other that is there may be half a copy, or have other content, and is replaced. What
    /// is copied is durable after ``restoreConfiguration(_:)``, before the node may boot from it.
    package func placeRelease(
        _ plan: HotUpgrade.Plan, _ preparation: HotUpgrade.Preparation
    ) throws(FileSystemError) {
        try removeRelease(plan)
        for application in preparation.applications {
            guard let library = application.folderName else {
                throw .unusable("\(application.name) does not belong into a path")
            }
            guard !preparation.runningLibraries.contains(library) else { continue }
            let folder = "\(current)/lib/\(library)"
            try files.removeTree(folder)
            try copyTree("\(staged)/lib/\(library)", to: folder)
        }
        try copyTree("\(staged)/releases/\(plan.to)", to: releaseFolder(plan.to))
        // A copy that `mix release` does not make, and `systools:make_tar` and Jellyfish do.
        let copy = "releases/\(plan.name)-\(plan.to).rel"
        if try files.status("\(staged)/\(copy)") != nil {
            try copyTree("\(staged)/\(copy)", to: "\(current)/\(copy)")
        }
        let relup = relupPath(plan)
        try files.removeFile(relup)
        try Self.write(ErlangFile.bytes([preparation.relup]), to: relup, mode: 0o644, files)
        guard preparation.written != nil else { return }
        let script = "\(releaseFolder(plan.to))/\(UpgradeScript.name)"
        try files.removeFile(script)
        try Self.write(Array(UpgradeScript.text.utf8), to: script, mode: 0o644, files)
    }

    private static func write(
        _ bytes: [UInt8], to path: String, mode: UInt32, _ files: any FileSystem
    ) throws(FileSystemError) {
        let file = try files.createFile(path, mode: mode)
        try file.write(bytes[...])
        try file.finish()
    }

    private func copyTree(
        _ source: String, to destination: String, depth: Int = 0
    ) throws(FileSystemError) {
        guard depth < Self.maximumDepth else { throw .tooDeep(path: source) }
        guard let status = try files.status(source) else {
            throw .unusable("\(source) does not exist")
        }
        switch status.kind {
        case .file: try files.copyFile(source, to: destination, mode: status.mode)
        case .folder:
            try files.makeFolder(destination, mode: status.mode)
            for name in try files.list(source) {
                try copyTree("\(source)/\(name)", to: "\(destination)/\(name)", depth: depth + 1)
            }
        case .symbolicLink: throw .unusable("\(source) is a symbolic link")
        case .other: throw .unusable("\(source) is no file")
        }
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

    private func releaseFolder(_ version: String) -> String {
        "\(current)/releases/\(version)"
    }

    private func relupPath(_ plan: HotUpgrade.Plan) -> String { "\(releaseFolder(plan.to))/relup" }
}

// MARK: - Configuration

extension HotUpgradeFiles {
    private static let pristineSuffix = ".pristine"

    /// The files that the installation reads and that hold secrets meanwhile.
    private static let replaced = ["sys.config", "relup"]

    /// Replaces the new version's `sys.config` by the resolved one, and keeps the pristine file
    /// beside it. The relup is replaced, too, if it is to bring terms that no text can hold.
    ///
    /// The copy of the pristine file is durable before anything changes, so an interruption loses
    /// nothing.
    package func writeConfiguration(
        _ plan: HotUpgrade.Plan, _ preparation: HotUpgrade.Preparation
    ) throws(FileSystemError) {
        let folder = releaseFolder(plan.to)
        let configuration = preparation.configuration
        try replace("\(folder)/sys.config", with: configuration.text)
        guard let hook = configuration.hook else { return }
        let relup = try Relup.adding(hook, to: preparation.relup, from: plan.from)
        try replace("\(folder)/relup", with: ErlangFile.bytes([relup]))
    }

    private func replace(_ path: String, with text: [UInt8]) throws(FileSystemError) {
        let pristine = path + Self.pristineSuffix
        if try files.status(pristine) == nil {
            let bytes = try files.read(path, limit: ResolvedConfiguration.maximumByteCount)
            try files.replaceFile(pristine, with: bytes, mode: 0o644)
        }
        try files.replaceFile(path, with: text, mode: 0o600)
    }

    /// Puts the pristine files of the new version back, if there are some beside them, and makes
    /// the new version durable: the node is to boot from it soon.
    package func restoreConfiguration(_ plan: HotUpgrade.Plan) throws(FileSystemError) {
        let folder = releaseFolder(plan.to)
        try Self.restoreConfiguration(folder, files)
        guard try files.status(folder)?.kind == .folder else { return }
        try files.synchronizeFileSystem(holding: folder)
    }

    /// Puts back every pristine file that an interrupted hot upgrade has left in a release folder.
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
        var isChanged = false
        for name in replaced {
            let path = "\(folder)/\(name)"
            guard try files.status(path + pristineSuffix)?.kind == .file else { continue }
            try files.rename(path + pristineSuffix, to: path)
            isChanged = true
        }
        if isChanged { try files.synchronizeFolder(folder) }
    }
}
