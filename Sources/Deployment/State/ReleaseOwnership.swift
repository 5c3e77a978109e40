internal import Glibc
package import Supervisor
package import Transport

/// Who owns a release's files if the application has a user of its own.
///
/// | what | owner | why |
/// |---|---|---|
/// | its folder, `bin/`, `erts-…/`, anything else | deployex's | a release only reads it |
/// | `tmp/` | the user's | the release writes its configuration there when it starts |
/// | `lib/`, `releases/` | the user's | in a hot upgrade the node writes the new version there |
/// | `.deployex.json` | deployex's alone | it says which release the folder holds |
///
/// The user's group may read the files in the first row.
///
/// Deployex reads and writes the user's files only with the user's rights: see ``files(_:base:)``.
/// It does not start a release that somebody else could change.
package struct ReleaseOwnership: Equatable, Sendable {
    /// The application's user; `nil`: everything is deployex's own.
    package var user: ProcessUser?

    package init(user: ProcessUser?) {
        self.user = user
    }

    private static let usersNames = ["tmp", "lib", "releases"]

    /// A file system that acts as the user below a release's folder.
    /// - Parameters:
    ///   - base: does everything else; the user's work goes through it, too.
    ///   - publishers: the users whose packages may be copied into a release's folder.
    package func files(
        _ layout: DeploymentLayout, base: HostFileSystem, publishers: TrustedUsers
    ) -> any FileSystem {
        guard let user else { return base }
        return ActingFileSystem(as: user, base: base, sources: publishers) {
            Self.isInside($0, layout)
        }
    }

    /// Whether `path` is in a folder such as `service/APP/I/current`, and is not one of deployex's
    /// own there.
    static func isInside(_ path: String, _ layout: DeploymentLayout) -> Bool {
        let service = layout.applicationFolder + "/"
        guard path.hasPrefix(service) else { return false }
        let names = path.dropFirst(service.count).split(separator: "/", maxSplits: 2)
        return names.count == 3 && !names[2].hasPrefix(ReleaseMarker.name)
    }

    /// Hands a release over to the user, so that the user can run it. A release that has just been
    /// unpacked is deployex's alone. Does nothing if there is no user, no release, or one that is
    /// not deployex's alone. It may be repeated, and blocks.
    package func handOver(_ folder: String) throws(FileSystemError) {
        guard let user else { return }
        let files = HostFileSystem()
        // `releases` is handed over last of all.
        guard try files.status(folder + "/releases")?.owner == geteuid() else { return }
        let tmp = folder + "/tmp"
        if try files.status(tmp) == nil { try files.makeFolder(tmp, mode: 0o700) }
        try FolderAccess.set(folder, mode: 0o750, group: user.group)
        for name in try files.list(folder)
        where !Self.usersNames.contains(name) && !name.hasPrefix(ReleaseMarker.name) {
            try TreeOwnership.show("\(folder)/\(name)", to: user)
        }
        for name in Self.usersNames where try files.status("\(folder)/\(name)") != nil {
            try TreeOwnership.give("\(folder)/\(name)", to: user)
        }
    }

    /// Why the release in `folder` must not be started as the user: somebody else could change it,
    /// for example after the configured user has changed. `nil` if it may be started. It blocks.
    package func objection(to folder: String) throws(FileSystemError) -> String? {
        let path = folder + "/releases"
        let wanted = user?.id ?? geteuid()
        guard let owner = try HostFileSystem().status(path)?.owner, owner != wanted else {
            return nil
        }
        return
            "\(path) belongs to \(UserDatabase.text(owner)), who can change it, and it would run "
            + "as \(UserDatabase.text(wanted)): stop the instance, remove \(folder), and start it "
            + "again, or publish the release with another hash"
    }
}

/// Decides who may pass through deployex's folders to a release. With mode 0711 others can enter a
/// folder by its name and list nothing. All other folders stay closed.
package struct ReleaseReach: Sendable {
    package struct Application: Sendable {
        package var layout: DeploymentLayout
        package var replicas: Int
        package var user: ProcessUser?

        package init(layout: DeploymentLayout, replicas: Int, user: ProcessUser?) {
            self.layout = layout
            self.replicas = replicas
            self.user = user
        }
    }

    private let basePath: String
    private let applications: [Application]

    package init(basePath: String, applications: [Application]) {
        self.basePath = basePath
        self.applications = applications
    }

    private var hasUsers: Bool { applications.contains { $0.user != nil } }

    /// Makes the missing folders above the base folder. Call it before the base folder is made. It
    /// blocks.
    package func prepareAncestors() throws(FileSystemError) {
        guard hasUsers, let slash = basePath.lastIndex(of: "/"), slash != basePath.startIndex
        else { return }
        _ = try FileSystemError.trusting(
            PathTrust().makeFolder(String(basePath[..<slash]), mode: 0o711))
    }

    /// Opens the folders to the instances' users, and closes those that have none. The base folder
    /// is ours and locked. It blocks.
    /// - Returns: the applications whose folders this fails for, each with the reason.
    package func apply() throws(FileSystemError) -> [String: FileSystemError] {
        let files = HostFileSystem()
        let passable: UInt32 = hasUsers ? 0o711 : 0o700
        try FolderAccess.set(basePath, mode: passable)
        try FolderAccess.set(basePath + "/service", mode: passable)
        var refusals: [String: FileSystemError] = [:]
        for application in applications {
            do throws(FileSystemError) {
                try Self.apply(application, files)
            } catch {
                refusals[application.layout.application] = error
            }
        }
        return refusals
    }

    private static func apply(
        _ application: Application, _ files: HostFileSystem
    ) throws(FileSystemError) {
        let folder = application.layout.applicationFolder
        guard let user = application.user else {
            return try FolderAccess.set(folder, mode: 0o700)
        }
        try files.makeFolders(folder, mode: 0o711)
        try FolderAccess.set(folder, mode: 0o711)
        for number in InstanceNumber.first(application.replicas) {
            let instance = application.layout.instanceFolder(number)
            try files.makeFolders(instance, mode: 0o700)
            try FolderAccess.set(instance, mode: 0o710, group: user.group)
        }
        if let obstacle = FolderAccess.obstacle(
            for: user, on: application.layout.instanceFolder(1))
        {
            throw obstacle
        }
    }
}
