/// The files of a release's folder against the package that was deployed there.
///
/// After an upgrade in place the folder also has what is left of the releases before it: release
/// handling keeps the files that are there already.
package struct FileComparison: Equatable, Sendable {
    /// How many are as in the package.
    package var sameCount = 0
    /// How many are as in the package of an earlier release that was upgraded in place.
    package var earlierCount = 0
    /// How many were written by deployex, by the release at its start, or by release handling.
    package var ownCount = 0
    package var missing: [String] = []
    package var changed: [String] = []
    /// They are in no package, and the release itself does not write them.
    package var extra: [String] = []
    /// What cannot be said to be right or wrong, each with the reason.
    package var unknown: [String] = []

    package var isClean: Bool { missing.isEmpty && changed.isEmpty && extra.isEmpty }

    /// What deployex adds to the name of a configuration that it replaces for a while.
    static let pristineSuffix = ".pristine"

    package init() {}

    /// - Parameters:
    ///   - application: the release's name.
    ///   - version: the one that was deployed.
    ///   - earlier: the packages of the releases that it was upgraded from, by version; `nil` for
    ///     one that is gone.
    package init(
        _ installed: InstalledFiles, with package: PackageContents, application: String,
        version: String, earlier: [String: PackageContents?] = [:]
    ) {
        let others = earlier.keys.sorted().compactMap { earlier[$0] ?? nil }
        let gone = earlier.keys.sorted().filter { earlier[$0] == .some(nil) }
        let reason =
            gone.isEmpty
            ? nil : "it may be of \(gone.joined(separator: ", ")), whose package is not here"
        for (path, member) in package.members {
            let found = installed.entries[path]
            if path == StartErlData.path {
                note(Self.isSame(installed.startErlData, package.startErlData), path, found)
            } else if Self.isSame(found, member) {
                sameCount += 1
            } else if let found, case .unreadable(let problem) = found {
                unknown.append("\(path): \(problem)")
            } else if found == nil {
                missing.append(path)
            } else if others.contains(where: { Self.isSame(found, $0.members[path]) })
                || !earlier.isEmpty && Self.hasSameCode(path, installed, package)
            {
                earlierCount += 1
            } else if Self.isSame(installed.entries[path + Self.pristineSuffix], member) {
                unknown.append("\(path): replaced for a hot upgrade that was cut off")
            } else if let reason {
                unknown.append("\(path): \(reason)")
            } else {
                changed.append(path)
            }
        }
        for (path, found) in installed.entries where package.members[path] == nil {
            let others = others.filter { $0.members[path] != nil }
            if found == .folder {
                continue
            } else if Self.isOwn(
                path, application: application, versions: [version] + Array(earlier.keys))
            {
                ownCount += 1
            } else if others.contains(where: { Self.isSame(found, $0.members[path]) }) {
                earlierCount += 1
            } else if case .unreadable(let problem) = found {
                unknown.append("\(path): \(problem)")
            } else if !others.isEmpty {
                changed.append(path)
            } else if let reason {
                unknown.append("\(path): \(reason)")
            } else {
                extra.append(path)
            }
        }
        unknown += installed.obstacles
        missing.sort()
        changed.sort()
        extra.sort()
        unknown.sort()
    }

    private mutating func note(_ isSame: Bool, _ path: String, _ found: InstalledFiles.Entry?) {
        if isSame {
            sameCount += 1
        } else if found == nil {
            missing.append(path)
        } else {
            changed.append(path)
        }
    }

    private static func isSame(
        _ found: InstalledFiles.Entry?, _ member: PackageContents.Member?
    ) -> Bool {
        switch (found, member) {
        case (.file(let found)?, .file(let published)?): found == published
        case (.folder?, .folder?): true
        case (.link(let found)?, .link(let published)?): found == published
        default: false
        }
    }

    /// Whether both name the same emulator and release. Release handling writes the file anew.
    private static func isSame(_ found: [UInt8], _ published: [UInt8]) -> Bool {
        guard let data = StartErlData(found) else { return found == published && !found.isEmpty }
        return data == StartErlData(published)
    }

    /// Debug information and documentation may differ where a file was kept.
    private static func hasSameCode(
        _ path: String, _ installed: InstalledFiles, _ package: PackageContents
    ) -> Bool {
        installed.code[path].map { $0 == package.code[path] } ?? false
    }

    /// Whether deployex, the release at its start, or release handling writes a file of this name.
    static func isOwn(_ path: String, application: String, versions: [String]) -> Bool {
        let root = [
            ReleaseMarker.name, "releases/COOKIE", "releases/RELEASES", StartErlData.path,
        ]
        // `RELEASE_TMP`: the configuration that the release makes at each start, and its pipes.
        if root.contains(path) || path.hasPrefix("tmp/") { return true }
        return versions.contains { version in
            let folder = "releases/\(version)"
            return [
                "releases/\(application)-\(version).rel", "\(folder)/\(application).rel",
                "\(folder)/\(application).tar.gz", "\(folder)/relup",
                "\(folder)/\(UpgradeScript.name)",
                "\(folder)/sys.config\(pristineSuffix)",
            ].contains(path)
        }
    }
}
