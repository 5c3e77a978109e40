internal import Glibc
package import Transport

/// Looks for processes by where and how they were started, in case nothing on disk names them.
package enum SessionLeaders {
    /// The processes that lead a session, work in `folder`, and were started with the environment
    /// variable `variable` (`NAME=VALUE`). Without the variable, somebody's shell in the folder
    /// would count. Their descendants with sessions of their own, such as the ports of a virtual
    /// machine, do not count. It blocks.
    /// - Parameter owners: whose processes count: anybody can start one that looks like these.
    package static func running(
        in folder: String, with variable: String, owners: TrustedUsers = TrustedUsers()
    ) -> [ProcessIdentity] {
        guard let wanted = realPath(folder) else { return [] }
        let all = ProcessStatus.all()
        let parents = Dictionary(all.map { ($0.pid, $0.parent) }) { $1 }
        let found = all.filter { status in
            // First check the owner: a stranger's working folder and environment may be on the
            // stranger's own file system, which may not answer.
            !status.isZombie && status.session == status.pid
                && ProcFile.user(of: status.pid).map(owners.contains) == true
                && realPath("/proc/\(status.pid)/cwd") == wanted
                && ProcFile.environment(of: status.pid).contains(variable)
        }
        let pids = Set(found.map(\.pid))
        return found.filter { !isDescendant($0.pid, of: pids, parents) }.map(ProcessIdentity.init)
    }

    private static func isDescendant(
        _ pid: Int32, of pids: Set<Int32>, _ parents: [Int32: Int32]
    ) -> Bool {
        var pid = pid
        // Deeper than any tree: pids may be reused while they are looked up, and even form a
        // circle.
        for _ in 0..<100 {
            guard let parent = parents[pid], parent > 1 else { return false }
            if pids.contains(parent) { return true }
            pid = parent
        }
        return false
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
