import Glibc
import Synchronization

/// Ports below the ephemeral range that nobody uses, each given out once in this process.
enum FreePorts {
    private static let next = Mutex(21_000 + Int(getpid()) % 400 * 20)

    /// The first of `count` neighbouring ports, at most ten.
    static func take(_ count: Int) -> Int {
        while true {
            let first = next.withLock { next in
                defer { next = next + 20 < 30_000 ? next + 20 : 21_000 }
                return next
            }
            if (first..<first + count).allSatisfy({ isFree($0) }) { return first }
        }
    }

    private static func isFree(_ port: Int) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        var yes: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
