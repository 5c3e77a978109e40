internal import Glibc
package import Transport

/// Where the output of the instances goes: `LOGPATH/APP/APP-I-stdout.log` and `…-stderr.log`, and how
/// it is read there, over all that ``LogRotator`` and logrotate do to the files meanwhile.
///
/// The processes append to them by themselves, over restarts of theirs and of deployex.
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

    package func folder(app: String) -> String {
        "\(root)/\(app)"
    }

    package func path(_ name: InstanceName, _ stream: Stream) -> String {
        "\(folder(app: name.app))/\(name)-\(stream.rawValue).log"
    }

    /// Makes the application's folder, mode 0750, and those above it that are missing. It blocks.
    package func prepare(app: String) throws(FileSystemError) {
        _ = try LogOpening.makeFolder(folder(app: app), mode: 0o750, owners: owners)
    }

    /// Where a virtual machine leaves its crash dump: beside its logs. One with a user of its own has a
    /// folder there, since it may write to no other.
    package func crashDumpFolder(app: String, user: ProcessUser?) -> String {
        folder(app: app) + (user == nil ? "" : "/crash-dumps")
    }

    /// As ``prepare(app:)``, and makes that folder, where the user can come to it. It blocks.
    /// - Returns: what is in the user's way.
    package func prepareCrashDumps(
        app: String, user: ProcessUser
    ) throws(FileSystemError) -> FileSystemError? {
        _ = try LogOpening.makeFolder(root, mode: 0o711, owners: owners)
        let folder = try LogOpening.makeFolder(folder(app: app), mode: 0o750, owners: owners)
        // Others pass through and list nothing; the logs are closed to them.
        try FolderAccess.add(folder, mode: 0o001, path: self.folder(app: app))
        let path = crashDumpFolder(app: app, user: user)
        try FolderAccess.give(
            HostFileSystem.name(of: path), in: folder, mode: 0o750, to: user, path: path)
        return FolderAccess.obstacle(for: user, on: path)
    }

    /// The last `count` lines of a log, oldest first, without their ends; none when there is no log
    /// yet. They may be from rotated pieces. At most the last MiB is read, so that there may be fewer
    /// lines, and the first of them may lack its beginning. It blocks.
    package static func tail(
        path: String, lines count: Int, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> [String] {
        try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            try snapshot.lastLines(count)
        }.lines
    }

    /// Where the last `count` lines of a log begin, which with 0 is the end of what is there. It blocks.
    package static func position(
        path: String, lastLines count: Int, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> LogPosition {
        try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            let offset = try snapshot.lastLines(count).offset
            return LogPosition(offset: offset, inode: snapshot.inode)
        }
    }

    /// What has been written to a log from `position` on, `limit` bytes at most. It blocks, but does
    /// not wait for anything to be written.
    package static func read(
        path: String, from position: LogPosition, limit: Int,
        owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> LogChunk {
        precondition(limit > 0, "Something is to be read")
        return try withSnapshot(path, owners: owners) { snapshot throws(FileSystemError) in
            try snapshot.chunk(from: position, limit: limit)
        }
    }

    /// What `body` makes of a snapshot that was current all the while. A rotation takes longer than
    /// reading does, so that a second attempt is rare and a tenth is not seen.
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
