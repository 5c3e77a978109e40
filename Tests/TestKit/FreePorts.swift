internal import Glibc
internal import Synchronization

/// Ports below the ephemeral range that nobody uses, for programs that cannot be given a listener.
///
/// This process gets each of them once, and holds it against the tests of other processes until it
/// ends: they would find it free until the program under test listens. What else runs on the host
/// may still take one in between; the kernel gives it none of these ports by itself.
package enum FreePorts {
    private static let range = 21_000..<31_000
    private static let step = 20
    private static let next = Mutex(range.lowerBound + Int(getpid()) % 400 * step)

    /// The first of `count` neighbouring ports.
    package static func take(_ count: Int = 1) -> Int {
        let size = (count + step - 1) / step * step
        precondition(size <= range.count, "There are not so many ports")
        for _ in 0..<range.count {
            let first = next.withLock { next in
                if next + size > range.upperBound { next = range.lowerBound }
                defer { next += size }
                return next
            }
            let blocks = stride(from: first, to: first + size, by: step)
            if blocks.allSatisfy(hold), (first..<first + count).allSatisfy(isFree) { return first }
        }
        fatalError("Tests hold all ports from \(range.lowerBound) to \(range.upperBound)")
    }

    /// Holds the ports from `first` on against other processes: a name that one socket at a time can
    /// have. Like ports, such names belong to a network namespace, and they go with the process.
    private static func hold(_ first: Int) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array("\0deployex-test-ports-\(first)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + name.count }
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0, let length else { return false }
        let isHeld = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(length)) == 0
            }
        }
        if !isHeld { close(raw) }
        return isHeld
    }

    private static func isFree(_ port: Int) -> Bool {
        // Without SO_REUSEADDR: a port on which connections of an earlier user are still in TIME_WAIT
        // is taken for a program that does not set that option.
        withSocket { raw in withAddress(INADDR_ANY, port) { bind(raw, $0, $1) == 0 } }
    }

    /// Whether somebody listens on this port of 127.0.0.1.
    package static func isListening(_ port: Int) -> Bool {
        withSocket { connectToLoopback($0, port: port) }
    }

    package static func connectToLoopback(_ raw: Int32, port: Int) -> Bool {
        withAddress(INADDR_LOOPBACK, port) { connect(raw, $0, $1) == 0 }
    }

    private static func withSocket(_ body: (Int32) -> Bool) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        return body(raw)
    }

    private static func withAddress(
        _ host: in_addr_t, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = host.bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
