internal import Glibc

/// The process that holds a socket, for errors that name who has taken what another process needs.
package struct SocketHolder: Equatable, Sendable {
    package var pid: Int32
    /// Its working folder; `nil` when the kernel does not show it.
    package var folder: String?

    package enum Finding: Equatable, Sendable {
        case found(SocketHolder)
        /// No process holds one of the sockets: they are just being closed.
        case nobody
        /// The kernel does not show us the descriptors of a process that may be the holder.
        case unknown
    }

    /// Looks for a process that holds one of `inodes`, as in `/proc/net/tcp`. Root sees all
    /// processes, other users only their own. It looks at every process of the host, and blocks.
    /// - Parameter users: who has made the sockets.
    package static func find(_ inodes: Set<UInt64>, of users: Set<UInt32>) -> Finding {
        var isUnknown = false
        for pid in ProcFile.pids() {
            guard let found = SessionSockets.sockets(of: pid, among: inodes) else {
                // It has ended, or is not shown. Nobody else than its user holds a socket that was
                // made by us.
                let user = ProcFile.user(of: pid)
                isUnknown =
                    isUnknown || user.map { users != [geteuid()] || $0 == geteuid() } == true
                continue
            }
            if !found.isEmpty {
                return .found(SocketHolder(pid: pid, folder: folder(of: pid)))
            }
        }
        return isUnknown ? .unknown : .nobody
    }

    /// Source: proc_pid_cwd(5).
    private static func folder(of pid: Int32) -> String? {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(pid)/cwd", &target, target.count)
        guard count > 0 else { return nil }
        return String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
