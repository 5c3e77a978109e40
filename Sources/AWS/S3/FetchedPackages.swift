internal import Deployment
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
    private static let partSuffix = ".part"

    package init(folder: String, application: String, files: any FileSystem) {
        self.folder = folder
        self.application = application
        self.files = files
    }

    /// Where a release's package is, or will be. The name tells builds of one version apart.
    func path(of release: Release) -> String {
        let build = Digest.text(Digest.sha256(Array(release.hash.utf8)).prefix(6))
        return "\(folder)/\(application)-\(release.version)-\(build).tar.gz"
    }

    /// Where it is fetched to.
    func partPath(of release: Release) -> String { path(of: release) + Self.partSuffix }

    func holds(_ release: Release) throws(FileSystemError) -> Bool {
        try files.status(path(of: release))?.kind == .file
    }

    /// Makes the folder, and removes what an earlier run has not fetched to its end.
    func prepare() throws(FileSystemError) {
        try files.makePrivateFolder(folder)
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
        var found: [(name: String, changedAt: Int64)] = []
        for name in try files.list(folder) where !name.hasSuffix(Self.partSuffix) {
            guard let status = try files.status("\(folder)/\(name)"), status.kind == .file else {
                continue
            }
            found.append((name, status.changedAt))
        }
        found.sort { ($0.changedAt, $0.name) > ($1.changedAt, $1.name) }
        let surplus = found.dropFirst(Self.keptCount).map(\.name)
            .filter { !paths.contains("\(folder)/\($0)") }
        for name in surplus { try files.removeFile("\(folder)/\(name)") }
        return Array(surplus)
    }
}
