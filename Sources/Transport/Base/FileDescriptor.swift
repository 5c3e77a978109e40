internal import CLinux
internal import Glibc

/// An open descriptor with one owner: it is closed when that owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    /// Takes over `raw`, which nothing else may close.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "A descriptor is never negative")
        self.raw = raw
    }

    /// An empty file that no folder has, for processes to share; it goes with the last of its
    /// descriptors.
    package static func inMemory(_ name: String) throws(SystemError) -> FileDescriptor {
        let raw = clinux_memory_file(name)
        guard raw >= 0 else { throw .last("making a file in memory") }
        return FileDescriptor(owning: raw)
    }

    deinit {
        // Linux frees the number even when close(2) reports EINTR, so it is never called twice.
        _ = close(raw)
    }

    /// Gives the descriptor away; the caller closes it.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }
}
