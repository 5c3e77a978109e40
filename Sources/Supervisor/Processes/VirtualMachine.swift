internal import Glibc

/// Tells virtual machines from the scripts around them and the programs below them. It blocks.
///
/// A virtual machine ends what it has started in its own order, its applications before its ports.
/// So it is asked to end before they are.
enum VirtualMachine {
    /// The virtual machines among a session's `members` that have no virtual machine above them.
    /// Empty if the leader itself is one and has not ended.
    static func topmost(
        of members: [ProcessHandle], below leader: ProcessHandle
    ) -> [ProcessHandle] {
        guard leader.hasExited || !isOne(leader) else { return [] }
        let machines = members.filter(isOne)
        guard machines.count > 1 else { return machines }
        let pids = Set(machines.map(\.identity.pid))
        return machines.filter { !isBelow(pids, $0.identity.pid) }
    }

    /// `beam.smp`, or another flavour of it, such as `beam.debug.smp`.
    private static func isOne(_ handle: ProcessHandle) -> Bool {
        ProcessStatus.ofProcess(handle.identity.pid)?.name.hasPrefix("beam.") == true
            && !handle.hasExited
    }

    private static func isBelow(_ pids: Set<Int32>, _ pid: Int32) -> Bool {
        var pid = pid
        // Deeper than any tree: pids may be reused while they are looked up.
        for _ in 0..<100 {
            guard let parent = ProcessStatus.ofProcess(pid)?.parent, parent > 1 else {
                return false
            }
            if pids.contains(parent) { return true }
            pid = parent
        }
        return false
    }
}
