internal import CLinux
internal import Glibc

/// An opened folder, through which its contents are reached: whatever happens to its path, and with
/// no way out of it.
///
/// Somebody who is not trusted may write below it, such as an application that runs as another
/// user. That user's links are never followed, neither on the way nor at the end.
package final class FolderAnchor: Sendable {
    package let path: String
    private let opened: Guarded<Opened>

    /// The opened folder lives as long as somebody uses it.
    private final class Opened: Sendable {
        let folder: FileDescriptor

        init(_ folder: consuming FileDescriptor) { self.folder = folder }
    }

    /// - Parameter folder: the folder that was opened at `path`, with O_PATH or for reading.
    package init(_ folder: consuming FileDescriptor, path: String) {
        opened = Guarded(Opened(folder))
        self.path = path
    }

    private var current: Opened { opened.withLock { $0 } }

    /// Another folder is at the path now: from here on the contents are reached through that one.
    package func move(to folder: consuming FileDescriptor) {
        let moved = Opened(folder)
        opened.withLock { $0 = moved }
    }

    /// Whether `folder` is the same folder as this one.
    package func isSame(as folder: borrowing FileDescriptor) -> Bool {
        var (own, other) = (stat(), stat())
        guard fstat(current.folder.raw, &own) == 0, fstat(folder.raw, &other) == 0 else {
            return false
        }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }

    /// A name in an opened folder, for calls like openat(2).
    package struct Entry: ~Copyable {
        package let folder: FileDescriptor
        package let name: String
    }

    /// Whether `path` is inside.
    package func holds(_ path: String) -> Bool {
        path.hasPrefix(self.path + "/") && path.utf8.count > self.path.utf8.count + 1
    }

    /// The folder itself, opened for reading.
    package func reopened() throws(PathTrustError) -> FileDescriptor {
        let raw = Glibc.openat(current.folder.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw PathTrustError(.last("opening \(path)"), path: path) }
        return FileDescriptor(owning: raw)
    }

    /// The folder that the last name of `path` is in, and that name. The name may be missing there,
    /// or be a link.
    package func entry(_ path: String) throws(PathTrustError) -> Entry {
        var names = names(path)
        guard let name = names.popLast() else {
            throw PathTrustError(SystemError("opening \(path)", code: EINVAL), path: path)
        }
        let above = names.isEmpty ? "." : names.joined(separator: "/")
        let current = current
        let raw = clinux_open_beneath(
            current.folder.raw, above, clinux_o_path | O_DIRECTORY | O_CLOEXEC)
        if raw >= 0 { return Entry(folder: FileDescriptor(owning: raw), name: name) }
        switch clinux_errno() {
        // There is a link, which may be one of ours; or the kernel lacks this call.
        case ELOOP, EXDEV, ENOSYS:
            var walk = try PathWalk(
                PathTrust(), from: current.folder, at: self.path, along: names)
            return Entry(folder: try walk.folder(makingMissing: nil), name: name)
        default: throw PathTrustError(.last("opening \(path)"), path: path)
        }
    }

    /// Like ``entry(_:)``, but it follows a link at the end if the link belongs to a trusted user.
    package func target(_ path: String) throws(PathTrustError) -> Entry {
        var walk = try PathWalk(
            PathTrust(), from: current.folder, at: self.path, along: names(path))
        return try walk.end()
    }

    private func names(_ path: String) -> [String] {
        precondition(holds(path), "Only what is inside is reached from here")
        return path.dropFirst(self.path.count + 1).split(separator: "/").map(String.init)
            .filter { $0 != "." }
    }
}
