internal import CLinux
internal import Glibc
internal import Transport

/// The local socket by which the holder of deployex's sockets is reached: `held.sock` in the base folder.
/// Each packet is a message.
enum LocalSocket {
    static let name = "held.sock"
    private static let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// A socket bound to the name in an opened folder, which only its owner may connect to. Nobody listens
    /// yet. What had the name is removed.
    static func bind(in folder: borrowing FileDescriptor) throws(SystemError) -> FileDescriptor {
        let attempt = "making \(name) in the base folder"
        let raw = socket(AF_UNIX, kind, 0)
        guard raw >= 0 else { throw .last(attempt) }
        let descriptor = FileDescriptor(owning: raw)
        // The file gets the mode that the socket has (unix(7)), less our umask.
        guard fchmod(raw, 0o600) == 0 else { throw .last(attempt) }
        if unlinkat(folder.raw, name, 0) != 0, clinux_errno() != ENOENT { throw .last(attempt) }
        guard (withAddress(in: folder) { Glibc.bind(raw, $0, $1) }) == 0 else {
            throw .last(attempt)
        }
        return descriptor
    }

    /// - Returns: `nil` if nobody listens there.
    static func connect(
        in folder: borrowing FileDescriptor, within timeout: Duration
    ) throws(SystemError) -> FileDescriptor? {
        let attempt = "asking the holder of the sockets"
        let raw = socket(AF_UNIX, kind, 0)
        guard raw >= 0 else { throw .last(attempt) }
        let descriptor = FileDescriptor(owning: raw)
        let (seconds, attoseconds) = timeout.components
        var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(raw, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard (withAddress(in: folder) { Glibc.connect(raw, $0, $1) }) == 0 else {
            let code = clinux_errno()
            if code == ENOENT || code == ECONNREFUSED { return nil }
            throw SystemError(attempt, code: code)
        }
        return descriptor
    }

    /// By the descriptor: the folder's own path may be too long for an address.
    private static func withAddress<Result>(
        in folder: borrowing FileDescriptor,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array("/proc/self/fd/\(folder.raw)/\(name)\0".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// The user of the process at the other end.
    static func peer(of raw: Int32) throws(SystemError) -> UInt32 {
        var (pid, user): (pid_t, uid_t) = (0, 0)
        guard clinux_peer_credentials(raw, &pid, &user) == 0 else {
            throw .last("finding out who holds the sockets")
        }
        return user
    }
}
