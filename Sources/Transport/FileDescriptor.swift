internal import Glibc

/// An open descriptor with one owner: it is closed when that owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    /// Takes over `raw`, which nothing else may close.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "A descriptor is never negative")
        self.raw = raw
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
