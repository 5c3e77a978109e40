internal import FoundationEssentials
package import Supervisor

/// The releases of one instance on disk: which stand where, and the moves between them.
///
/// All of it blocks: callers `offload` it.
package struct InstanceState: Sendable {
    package let layout: DeploymentLayout
    package let instance: Int
    private let files: any FileSystem

    package init(layout: DeploymentLayout, instance: Int, files: any FileSystem) {
        self.layout = layout
        self.instance = instance
        self.files = files
    }

    /// What is found when deployex starts, and what was wrong with it.
    package struct Found: Equatable, Sendable {
        package var current: DeployedRelease?
        package var previous: DeployedRelease?
        /// Lines for the log.
        package var findings: [String] = []
    }

    /// Version files are small; what is larger is not one.
    private static let recordLimit = 64 << 10

    /// Makes the folders that are missing, and removes what a killed run has left of a staging. Only
    /// to be called when nothing is being staged: at start.
    package func prepare() throws(FileSystemError) {
        try files.makeFolders(layout.instanceFolder(instance), mode: 0o700)
        try files.makeFolders(layout.versionFolder(instance), mode: 0o700)
        try staging.cleanLeftovers()
    }

    private var staging: StagingFolder { StagingFolder(path: layout.new(instance), files: files) }

    // MARK: Reading

    /// Reads the version files and compares them with the release that stands in `current`, which
    /// is what boots and therefore right where they differ.
    package func find() throws(FileSystemError) -> Found {
        var found = Found()
        guard let booting = try bootVersion(of: layout.current(instance)) else { return found }
        found.previous = try record(layout.previousVersion(instance), findings: &found.findings)
        found.current = try record(layout.currentVersion(instance), findings: &found.findings)
        guard found.current?.version != booting else { return found }
        let recorded = found.current?.version ?? "no version"
        found.findings.append(
            "\(layout.currentVersion(instance)) says \(recorded), but "
                + "\(layout.current(instance)) boots \(booting): taken as \(booting)")
        found.current = DeployedRelease(
            version: booting, hash: "", deployment: .fullDeployment)
        return found
    }

    /// The version that the release in `folder` boots; `nil` when no release stands there.
    ///
    /// Source: `releases/start_erl.data` holds the versions of ERTS and of the release.
    private func bootVersion(of folder: String) throws(FileSystemError) -> String? {
        do throws(FileSystemError) {
            let bytes = try files.read(
                folder + "/releases/start_erl.data", limit: Self.recordLimit)
            let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            return words.count == 2 ? String(words[1]) : nil
        } catch  where error.isNotFound {
            return nil
        }
    }

    /// A version file's content; a damaged one is set aside, so that it can be looked at.
    private func record(
        _ path: String, findings: inout [String]
    ) throws(FileSystemError) -> DeployedRelease? {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try files.read(path, limit: Self.recordLimit)
        } catch  where error.isNotFound {
            return nil
        }
        do {
            return try JSONDecoder().decode(DeployedRelease.self, from: Data(bytes))
        } catch {
            findings.append("\(path) is damaged: it is kept as \(path).damaged")
            try files.rename(path, to: path + ".damaged")
            return nil
        }
    }

    // MARK: Changing

    /// `current` becomes `previous` and `new` becomes `current`: whatever happens in between,
    /// `current` is one whole release.
    package func promote(to release: DeployedRelease) throws(FileSystemError) {
        let folder = layout.instanceFolder(instance)
        let (new, current) = (layout.new(instance), layout.current(instance))
        let replaced = try find().current
        if try files.status(current) == nil {
            try files.rename(new, to: current)
        } else {
            try files.removeTree(layout.previous(instance))
            try files.exchange(new, current)
            try files.rename(new, to: layout.previous(instance))
        }
        try files.synchronizeFolder(folder)
        try record(release, replacing: replaced)
    }

    /// Notes that the release in `current` has been upgraded in place.
    package func recordHotUpgrade(
        to release: DeployedRelease, from replaced: DeployedRelease?
    ) throws(FileSystemError) {
        try record(release, replacing: replaced)
    }

    /// Removes what is staged.
    package func discardStaged() throws(FileSystemError) {
        try staging.remove()
    }

    private func record(
        _ release: DeployedRelease, replacing replaced: DeployedRelease?
    ) throws(FileSystemError) {
        if let replaced {
            try files.replaceFile(
                layout.previousVersion(instance), with: Self.bytes(of: replaced))
        }
        try files.replaceFile(layout.currentVersion(instance), with: Self.bytes(of: release))
    }

    private static func bytes(of release: DeployedRelease) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(release)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("Three strings encode as JSON")
        }
    }
}
