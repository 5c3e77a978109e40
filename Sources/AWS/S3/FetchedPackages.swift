package import Deployment
package import Supervisor
internal import Transport

/// The packages that were fetched, one file for each release: `BASE/packages/APP`. They stay over
/// restarts, so that each is fetched once. All of it blocks.
package struct FetchedPackages: Sendable {
    package let folder: String
    package let application: String
    let files: any FileSystem
    /// How many are kept: what runs, what it can go back to, and what is being deployed.
    static let keptCount = 4
    private static let suffix = ".tar.gz"
    private static let partSuffix = ".part"

    package init(folder: String, application: String, files: any FileSystem) {
        self.folder = folder
        self.application = application
        self.files = files
    }

    /// Where a release's package will be. The name tells builds of one version apart.
    func path(of release: Release) -> String {
        let build = Digest.text(Digest.sha256(Array(release.hash.utf8)).prefix(6))
        return "\(prefix(release))\(build)\(Self.suffix)"
    }

    /// What the names of all builds of its version begin with.
    private func prefix(_ release: Release) -> String {
        "\(folder)/\(application)-\(release.version)-"
    }

    /// Where it is fetched to.
    func partPath(of release: Release) -> String { path(of: release) + Self.partSuffix }

    /// Where a release's package is, if it is here. Of a version without a hash, as `deploy VERSION`
    /// asks for it, the newest build is meant.
    func held(_ release: Release) throws(FileSystemError) -> String? {
        try builds(of: release).first
    }

    /// Where the package of a release is; of one without a hash, all builds of its version that are
    /// here, the newest first.
    package func builds(of release: Release) throws(FileSystemError) -> [String] {
        let path = path(of: release)
        guard release.hash.isEmpty else {
            return try files.status(path)?.kind == .file ? [path] : []
        }
        guard try files.status(folder) != nil else { return [] }
        let prefix = prefix(release)
        // A version may have dashes: what follows it must be a build.
        return try packages().map(\.path).filter { found in
            found.hasPrefix(prefix) && found.utf8.count == path.utf8.count
                && !found.dropFirst(prefix.count).dropLast(Self.suffix.count).contains("-")
        }
    }

    /// Makes the folder. Somebody may have removed it at any time.
    func makeFolder() throws(FileSystemError) {
        try files.makePrivateFolder(folder)
    }

    /// Removes what an earlier run has not fetched to its end.
    func removeRemains() throws(FileSystemError) {
        for name in try files.list(folder) where name.hasSuffix(Self.partSuffix) {
            try files.removeFile("\(folder)/\(name)")
        }
    }

    /// Gives a whole and checked package its name.
    func keep(_ release: Release) throws(FileSystemError) {
        try files.rename(partPath(of: release), to: path(of: release))
        try files.synchronizeFolder(folder)
    }

    func remove(_ path: String) throws(FileSystemError) {
        guard path.hasPrefix(folder + "/") else { return }
        try files.removeFile(path)
    }

    /// Removes the oldest packages, but for those at `paths`.
    /// - Returns: the names of those that were removed.
    func clean(keeping paths: Set<String>) throws(FileSystemError) -> [String] {
        let surplus = try packages().dropFirst(Self.keptCount).map(\.path)
            .filter { !paths.contains($0) }
        for path in surplus { try files.removeFile(path) }
        return surplus.map { String($0.dropFirst(folder.count + 1)) }
    }

    /// All packages, the newest first.
    private func packages() throws(FileSystemError) -> [(path: String, changedAt: Int64)] {
        var found: [(path: String, changedAt: Int64)] = []
        for name in try files.list(folder) where name.hasSuffix(Self.suffix) {
            let path = "\(folder)/\(name)"
            guard let status = try files.status(path), status.kind == .file else { continue }
            found.append((path, status.changedAt))
        }
        return found.sorted { ($0.changedAt, $0.path) > ($1.changedAt, $1.path) }
    }
}
