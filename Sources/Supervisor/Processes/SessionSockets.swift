internal import CLinux
internal import Glibc
internal import Transport

/// Tells whether a session's processes hold a socket. So a node that answers under an instance's
/// name can be told from one that took the name. Everything blocks.
package struct SessionSockets: Sendable {
    package enum Answer: Equatable, Sendable {
        case held
        case notHeld
        /// The kernel does not show us the descriptors of all the processes, for example of a
        /// program with file capabilities when we are not root.
        case unknown
    }

    let leader: ProcessHandle
    let isLeaderReserved: Bool
    let known: [ProcessHandle]
    var group: ControlGroup?

    private var members: SessionMembers {
        SessionMembers(leader: leader, isLeaderReserved: isLeaderReserved, group: group)
    }

    /// The leader's pid.
    package var pid: Int32 { leader.identity.pid }

    /// The user that the session's leader runs as; `nil` if the leader has ended.
    package var user: UInt32? {
        let user = ProcFile.user(of: leader.identity.pid)
        // A process that has not ended after the look had the pid during the look.
        return leader.hasExited ? nil : user
    }

    /// Whether one of the processes runs a program that sees `pid` as its own pid, perhaps in its
    /// own namespace.
    package func includes(_ pid: Int32) -> Bool {
        func has(_ handle: ProcessHandle) -> Bool {
            let isIt = ProcFile.namespacePID(of: handle.identity.pid) == pid
            // A process that has not ended after the look had the pid during the look.
            return isIt && !handle.hasExited
        }
        // It is almost always the virtual machine itself.
        return has(leader) || members.find(known: known).contains(where: has)
    }

    /// Whether each of `inodes`, as in `/proc/net/tcp`, is a socket of one of the processes.
    package func hold(_ inodes: Set<UInt64>) -> Answer {
        var missing = inodes
        var isUnknown = false
        func look(_ handle: ProcessHandle) {
            guard let found = Self.sockets(of: handle.identity.pid, among: missing) else {
                isUnknown = isUnknown || !handle.hasExited
                return
            }
            // A process that has not ended after the look had the pid during the look.
            if !handle.hasExited { missing.subtract(found) }
        }
        // It is almost always the virtual machine itself.
        look(leader)
        if !missing.isEmpty, !leader.hasExited {
            for member in members.find(known: known) where !missing.isEmpty { look(member) }
        }
        if missing.isEmpty { return .held }
        return isUnknown ? .unknown : .notHeld
    }

    /// Those of `inodes`, as in `/proc/net/tcp`, that are sockets of the processes, as far as the kernel
    /// shows their descriptors.
    package func held(among inodes: Set<UInt64>) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for process in [leader] + members.find(known: known) {
            let own = Self.sockets(of: process.identity.pid, among: inodes) ?? []
            // A process that has not ended after the look had the pid during the look.
            if !process.hasExited { found.formUnion(own) }
        }
        return found
    }

    /// Source: proc_pid_fd(5): a descriptor of a socket is a link to `socket:[INODE]`.
    /// - Returns: `nil` when the descriptors are not shown.
    static func sockets(of pid: Int32, among wanted: Set<UInt64>) -> Set<UInt64>? {
        let path = "/proc/\(pid)/fd"
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var found: Set<UInt64> = []
        var target = [CChar](repeating: 0, count: 64)
        while found.count < wanted.count, let entry = readdir(folder) {
            let count = withUnsafePointer(to: &entry.pointee.d_name) { name in
                readlinkat(
                    dirfd(folder), UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self),
                    &target, target.count)
            }
            guard count > 0 else { continue }
            let text = String(
                decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("socket:["), text.hasSuffix("]"),
                let inode = UInt64(text.dropFirst(8).dropLast()), wanted.contains(inode)
            else { continue }
            found.insert(inode)
        }
        return found
    }
}
