internal import CLinux
internal import Glibc

/// An opened folder, from which what is inside is reached: whatever becomes of its path, and
/// without a way out.
///
/// Somebody who is not trusted may write below it, such as an application that runs as a user of
/// its own. No link of his is followed, neither on the way nor at the end.
package final class FolderAnchor: Sendable {
    package let path: String
    private let opened: Guarded<Opened>

    /// It lives as long as somebody uses it.
    private final class Opened: Sendable {
        let folder: FileDescriptor

        init(_ folder: consuming FileDescriptor) { self.folder = folder }
    }

    /// - Parameter folder: what was opened at `path`, with O_PATH or for reading.
    package init(_ folder: consuming FileDescriptor, path: String) {
        opened = Guarded(Opened(folder))
        self.path = path
    }

    private var current: Opened { opened.withLock { $0 } }

    /// Another folder stands at the path now: from here on what is inside is reached from there.
    package func move(to folder: consuming FileDescriptor) {
        let moved = Opened(folder)
        opened.withLock { $0 = moved }
    }

    /// Whether `folder` is this very folder.
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

    /// The folder itself, to be read.
    package func reopened() throws(PathTrustError) -> FileDescriptor {
        let raw = Glibc.openat(current.folder.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw PathTrustError(.last("opening \(path)"), path: path) }
        return FileDescriptor(owning: raw)
    }

    /// Where the last name of `path` is to be looked for; it may be missing, or be a link.
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
        // A link, which may be one of ours; or a kernel that cannot be asked.
        case ELOOP, EXDEV, ENOSYS:
            var walk = try PathWalk(
                PathTrust(), from: current.folder, at: self.path, along: names)
            return Entry(folder: try walk.folder(makingMissing: nil), name: name)
        default: throw PathTrustError(.last("opening \(path)"), path: path)
        }
    }

    /// As ``entry(_:)``, and a link at the end followed where it belongs to a trusted user.
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
