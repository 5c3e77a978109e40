internal import CLinux
internal import Glibc
internal import Transport

/// Looks for processes by where and how they were started, for the case that nothing on disk names them.
package enum SessionLeaders {
    /// The processes that lead a session, work in `folder`, and were started with the environment
    /// variable `variable` (`NAME=VALUE`): without that, somebody's shell in the folder would be one. Those
    /// that one of them has started are left out: a virtual machine's `erl_child_setup` leads a session too.
    /// It blocks.
    package static func running(in folder: String, with variable: String) -> [ProcessIdentity] {
        guard let wanted = realPath(folder) else { return [] }
        let found = ProcessStatus.all().filter { status in
            !status.isZombie && status.session == status.pid
                && realPath("/proc/\(status.pid)/cwd") == wanted
                && environment(of: status.pid).contains(variable)
        }
        let pids = Set(found.map(\.pid))
        return found.filter { !pids.contains($0.parent) }.map(ProcessIdentity.init)
    }

    /// As it was at the start. Source: proc_pid_environ(5).
    private static func environment(of pid: Int32) -> [String] {
        let raw = clinux_open("/proc/\(pid)/environ", O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { return [] }
        let descriptor = FileDescriptor(owning: raw)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 4 << 20 {
            let count = Glibc.read(descriptor.raw, &chunk, chunk.count)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
