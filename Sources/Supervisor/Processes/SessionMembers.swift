/// Finds, and holds, what belongs to a session: its members, the leader's descendants in their own
/// sessions, such as the ports of a BEAM (`erl_child_setup` makes a session for each), and what is
/// in the leader's control group.
///
/// A number in `/proc` proves nothing by itself: pids are reused. Every process is opened first and
/// looked at again after that. Its tie to the leader counts only if, after the look, the leader
/// (even as a zombie) or another known process of the session is still there. It blocks. Source:
/// the kernel's kernel/pid.c, which frees a number only when no process, process group or session
/// uses it.
struct SessionMembers {
    let leader: ProcessHandle
    /// Whether the leader is our child and has not been reaped: then its pid cannot be reused.
    let isLeaderReserved: Bool
    /// Holds members that have left the session, if the leader was started in it.
    var group: ControlGroup?

    /// The living members besides the leader. `known` are members that were found before.
    func find(known: [ProcessHandle]) -> [ProcessHandle] {
        let inGroup = group?.members().filter { $0.identity != leader.identity } ?? []
        let known = known.filter { !$0.hasExited } + inGroup
        let all = ProcessStatus.all()
        let candidates = all.compactMap { status -> ProcessHandle? in
            guard status.session == leader.identity.pid else { return nil }
            return open(status) { $0.session == leader.identity.pid }
        }
        let descendants = descendants(of: [leader] + known, among: all)
        let isSession = isLeaderReserved || isLeaderListed || known.contains(where: isInSession)
        var found: [Int32: ProcessHandle] = [:]
        for handle in known + descendants + (isSession ? candidates : []) {
            found[handle.identity.pid] = handle
        }
        return Array(found.values)
    }

    /// Whether the leader still has its pid, alive or as a zombie that its parent has not reaped.
    private var isLeaderListed: Bool {
        ProcessStatus.ofProcess(leader.identity.pid)?.startTicks == leader.identity.startTicks
    }

    private func isInSession(_ handle: ProcessHandle) -> Bool {
        ProcessStatus.ofProcess(handle.identity.pid)?.session == leader.identity.pid
            && !handle.hasExited
    }

    /// It also searches from known members: a wrapper script may have ended before what it started.
    private func descendants(
        of processes: [ProcessHandle], among all: [ProcessStatus]
    ) -> [ProcessHandle] {
        let children = Dictionary(grouping: all, by: \.parent)
        var found: [ProcessHandle] = []
        var parents = processes
        while let parent = parents.popLast() {
            for status in children[parent.identity.pid] ?? [] {
                let child = open(status) { $0.parent == parent.identity.pid }
                // A parent that still exists after the look had the pid during the look.
                guard let child, !parent.hasExited else { continue }
                found.append(child)
                parents.append(child)
            }
        }
        return found
    }

    private func open(
        _ status: ProcessStatus, if belongs: (ProcessStatus) -> Bool
    ) -> ProcessHandle? {
        guard
            status.pid != leader.identity.pid, !status.isZombie,
            let handle = ProcessHandle(ProcessIdentity(status)),
            let again = ProcessStatus.ofProcess(status.pid),
            again.startTicks == status.startTicks, belongs(again), !handle.hasExited
        else { return nil }
        return handle
    }
}
