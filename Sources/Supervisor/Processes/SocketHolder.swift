internal import Glibc

/// The process that holds a socket, for errors that name who has taken what another process needs.
package struct SocketHolder: Equatable, Sendable {
    package var pid: Int32
    /// Its working folder; `nil` when the kernel does not show it.
    package var folder: String?

    /// The process that holds one of `inodes`, as in `/proc/net/tcp`. Root sees all processes,
    /// other users only their own. It looks at every process of the host, and blocks.
    package static func find(_ inodes: Set<UInt64>) -> SocketHolder? {
        for pid in ProcFile.pids() {
            guard let found = SessionSockets.sockets(of: pid, among: inodes), !found.isEmpty else {
                continue
            }
            return SocketHolder(pid: pid, folder: folder(of: pid))
        }
        return nil
    }

    /// Source: proc_pid_cwd(5).
    private static func folder(of pid: Int32) -> String? {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(pid)/cwd", &target, target.count)
        guard count > 0 else { return nil }
        return String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
