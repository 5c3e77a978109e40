internal import CLinux
internal import Glibc

/// An open descriptor with one owner. It is closed when the owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    /// Takes over `raw`, which nothing else may close from now on.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "A descriptor is never negative")
        self.raw = raw
    }

    /// An empty file in no folder, which processes can share. It disappears with the last of its
    /// descriptors.
    package static func inMemory(_ name: String) throws(SystemError) -> FileDescriptor {
        let raw = clinux_memory_file(name)
        guard raw >= 0 else { throw .last("making a file in memory") }
        return FileDescriptor(owning: raw)
    }

    /// Reads what comes next into the beginning of `buffer`.
    /// - Parameter attempt: what is being done, for the error.
    /// - Returns: how many bytes were read; 0 at the end.
    package func read(
        into buffer: inout [UInt8], _ attempt: @autoclosure () -> String
    ) throws(SystemError) -> Int {
        while true {
            let count = Glibc.read(raw, &buffer, buffer.count)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count >= 0 else { throw .last(attempt()) }
            return count
        }
    }

    /// Reads up to the end; `nil` when there are more than `limit` bytes.
    package func readAll(
        limit: Int, _ attempt: @autoclosure () -> String
    ) throws(SystemError) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try read(into: &chunk, attempt())
            guard count > 0 else { return bytes }
            guard count <= limit - bytes.count else { return nil }
            bytes += chunk[..<count]
        }
    }

    /// Writes as many of `bytes` as possible: all of them, except after an error.
    /// - Returns: how many bytes were written.
    package func write(_ bytes: ArraySlice<UInt8>) -> Int {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0, clinux_errno() == EINTR { continue }
            // A disk that becomes full first gives a short count, and then the error.
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        return bytes.count - rest.count
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
