internal import Glibc
package import Transport

/// Where the output of the instances goes: `LOGPATH/APP/APP-I-stdout.log` and `…-stderr.log`. It
/// also says how to read the output there while ``LogRotator`` and logrotate change the files.
///
/// The processes append to the files directly, across their own restarts and those of deployex.
package struct LogFiles: Sendable {
    package enum Stream: String, Sendable, CaseIterable {
        case stdout, stderr
    }

    /// `LOGPATH`, such as `/var/log`.
    package let root: String
    /// Who may own the logs and their folders.
    package let owners: TrustedUsers

    package init(root: String, owners: TrustedUsers = TrustedUsers()) {
        self.root = root
        self.owners = owners
    }

    /// The mode of an application's folder.
    static let folderMode: UInt32 = 0o750

    package func folder(app: String) -> String {
        "\(root)/\(app)"
    }

    package func path(_ name: InstanceName, _ stream: Stream) -> String {
        "\(folder(app: name.app))/\(name)-\(stream.rawValue).log"
    }

    /// Where the output of an application's pre-commands goes.
    package func preCommandsPath(app: String) -> String {
        "\(folder(app: app))/\(app)-pre-commands.log"
    }

    /// deployex's own log: on `stdout` every line, on `stderr` the warnings and errors.
    package func ownPath(_ stream: Stream) -> String {
        "\(folder(app: "deployex"))/deployex-\(stream.rawValue).log"
    }

    /// Makes the application's folder, mode 0750, and those above it that are missing. It blocks.
    package func prepare(app: String) throws(FileSystemError) {
        _ = try LogOpening.makeFolder(folder(app: app), mode: Self.folderMode, owners: owners)
    }

    /// Where a virtual machine leaves its crash dump: beside its logs. One with its own user has a
    /// folder there, since it may write to no other.
    package func crashDumpFolder(app: String, user: ProcessUser?) -> String {
        folder(app: app) + (user == nil ? "" : "/crash-dumps")
    }

    /// As ``prepare(app:)``, and also makes the folder for crash dumps, where the user can reach
    /// it. It blocks.
    /// - Returns: what keeps the user from reaching it.
    package func prepareCrashDumps(
        app: String, user: ProcessUser
    ) throws(FileSystemError) -> FileSystemError? {
        _ = try LogOpening.makeFolder(root, mode: 0o711, owners: owners)
        let folder = try LogOpening.makeFolder(
            folder(app: app), mode: Self.folderMode, owners: owners)
        // Others may pass through but not list the folder; the logs are closed to them.
        try FolderAccess.add(folder, mode: 0o001, path: self.folder(app: app))
        let path = crashDumpFolder(app: app, user: user)
        try FolderAccess.give(
            HostFileSystem.name(of: path), in: folder, mode: 0o750, to: user, path: path)
        return FolderAccess.obstacle(for: user, on: path)
    }

    /// The last `count` lines of a log, oldest first, without their line ends; no lines when there
    /// is no log yet. They may come from rotated pieces. At most the last MiB is read, so there may
    /// be fewer lines, and the first line may lack its beginning. It blocks.
    package static func tail(
        path: String, lines count: Int, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> [String] {
        try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            try snapshot.lastLines(count)
        }.lines
    }

    /// Where the last `count` lines of a log begin; for 0 lines, the present end of the log. It
    /// blocks.
    package static func position(
        path: String, lastLines count: Int, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> LogPosition {
        try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            let offset = try snapshot.lastLines(count).offset
            return LogPosition(offset: offset, inode: snapshot.inode)
        }
    }

    /// What has been written to a log from `position` on, at most `limit` bytes. It blocks, but
    /// does not wait for new output.
    package static func read(
        path: String, from position: LogPosition, limit: Int,
        owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> LogChunk {
        precondition(limit > 0, "Something is to be read")
        return try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            try snapshot.chunk(from: position, limit: limit)
        }
    }

    /// What `body` returns for a snapshot that was current all the while. A rotation takes longer
    /// than reading, so a second attempt is rare and a tenth is not seen.
    static func withSnapshot<Result>(
        _ path: String, owners: TrustedUsers = TrustedUsers(),
        onStep: @escaping LogSnapshot.OnStep = { _ throws(FileSystemError) in },
        _ body: (LogSnapshot) throws(FileSystemError) -> Result
    ) throws(FileSystemError) -> Result {
        for _ in 0..<100 {
            let snapshot = try LogSnapshot(path: path, owners: owners, onStep: onStep)
            let result = try body(snapshot)
            try onStep(.read)
            if try snapshot.isCurrent() { return result }
        }
        throw .system(SystemError("reading \(path), which is being rotated", code: EAGAIN))
    }
}
