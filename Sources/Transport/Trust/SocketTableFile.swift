internal import CLinux
internal import Glibc

/// The kernel's tables of TCP sockets, `/proc/net/tcp` and `/proc/net/tcp6`. Reading them blocks.
enum SocketTableFile {
    /// Longer tables are not read to their end. This is enough for some 100,000 sockets.
    private static let maximumByteCount = 16 << 20

    private static let paths = ["/proc/net/tcp", "/proc/net/tcp6"]

    /// Passes the listening sockets to `body`. They come first in each table, so the others are not
    /// read.
    /// - Parameter body: returns whether it wants more sockets.
    /// - Returns: whether `body` got all of them.
    /// - Throws: also when a table is too long to read.
    static func listening(_ body: (SocketTableEntry) -> Bool) throws(SystemError) -> Bool {
        var isWanted = true
        for path in paths where isWanted {
            let isWhole = try read(path) { entry in
                guard entry.state == .listening else { return false }
                isWanted = body(entry)
                return isWanted
            }
            guard isWhole else { throw SystemError("reading \(path)", code: EFBIG) }
        }
        return isWanted
    }

    /// The first socket for which `body` returns true; `nil` if there is none.
    static func first(
        where body: (SocketTableEntry) -> Bool
    ) throws(SystemError) -> SocketTableEntry? {
        for path in paths {
            var found: SocketTableEntry?
            _ = try read(path) { entry in
                guard body(entry) else { return true }
                found = entry
                return false
            }
            if let found { return found }
        }
        return nil
    }

    /// - Parameter body: returns whether it wants more sockets.
    /// - Returns: whether it got all that it wanted.
    private static func read(
        _ path: String, _ body: (SocketTableEntry) -> Bool
    ) throws(SystemError) -> Bool {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else {
            // A host without IPv6 has no table for it.
            if clinux_errno() == ENOENT, path.hasSuffix("6") { return true }
            throw .last("reading \(path)")
        }
        let descriptor = FileDescriptor(owning: raw)
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var line: [UInt8] = []
        var byteCount = 0
        while byteCount < maximumByteCount {
            let count = try descriptor.read(into: &chunk, "reading \(path)")
            guard count > 0 else { return true }
            byteCount += count
            for byte in chunk[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                let entry = SocketTableEntry(line: line)
                line.removeAll(keepingCapacity: true)
                if let entry, !body(entry) { return true }
            }
        }
        return false
    }
}
