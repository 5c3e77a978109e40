internal import CLinux
internal import Glibc
package import Transport

/// Opens the logs of instances and of deployex, and what belongs to them. Every call blocks.
///
/// Whoever may write to a log's folder could put a link there, and make us append to any file or
/// show it. So each call walks the path (``PathTrust``) and follows no link. What it opens must be
/// a regular file with one name that belongs to root, to us or to the user of the instance.
package enum LogOpening {
    /// Opens the log at `path` for appending, and makes it with mode 0640 if it is missing. It also
    /// opens `/dev/null`.
    /// - Parameter owners: who may own it and its folder.
    package static func append(
        to path: String, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> FileDescriptor {
        guard path != "/dev/null" else {
            return try FileDescriptor.opening(path, O_WRONLY, "opening \(path)")
        }
        let file = try open(path, O_WRONLY | O_APPEND | O_CREAT, owners)
        // A program will keep this descriptor, and expects writes to wait.
        guard fcntl(file.raw, F_SETFL, O_APPEND) == 0 else { throw .last("opening \(path)") }
        return file
    }

    /// Opens what is at `path`, for reading, or also for cutting off its head.
    static func read(
        _ path: String, isChanged: Bool = false, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> FileDescriptor {
        try open(path, isChanged ? O_RDWR : O_RDONLY, owners)
    }

    /// Opens the folder of the log at `path`, to reach the files beside the log.
    static func folder(
        of path: String, owners: TrustedUsers
    ) throws(FileSystemError) -> FolderAnchor {
        let folder = HostFileSystem.folder(of: path)
        return FolderAnchor(
            try FileSystemError.trusting(trust(owners).folder(folder)), path: folder)
    }

    /// Makes a folder of logs and the folders above it, where they are missing. Its path is walked
    /// like all paths of logs: the owner of a folder on the way may put links there meanwhile.
    static func makeFolder(
        _ path: String, mode: UInt32, owners: TrustedUsers = TrustedUsers()
    ) throws(FileSystemError) -> FileDescriptor {
        try FileSystemError.trusting(trust(owners).makeFolder(path, mode: mode))
    }

    /// How the folders of logs are walked.
    package static func trust(_ owners: TrustedUsers) -> PathTrust {
        PathTrust(users: owners, acceptsSystemGroups: true)
    }

    private static func open(
        _ path: String, _ flags: Int32, _ owners: TrustedUsers
    ) throws(FileSystemError) -> FileDescriptor {
        let trust = trust(owners)
        let folder = try FileSystemError.trusting(trust.folder(HostFileSystem.folder(of: path)))
        return try FileSystemError.trusting(
            trust.file(
                HostFileSystem.name(of: path), in: folder, path: path, as: .log, flags: flags,
                mode: 0o640))
    }
}
