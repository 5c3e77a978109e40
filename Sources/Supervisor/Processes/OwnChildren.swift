internal import Glibc
internal import Transport

/// The children that this process has made itself, from their start until they are reaped. The
/// reaper of orphans leaves them alone.
enum OwnChildren {
    private static let pids = Guarded<Set<Int32>>([])

    /// Makes a child; `make` returns its pid, if it has made one.
    static func make<Result>(_ make: () -> (Result, pid: Int32?)) -> Result {
        // While the lock is held, nobody takes the child for an orphan.
        pids.withLock { pids in
            let (result, pid) = make()
            if let pid { pids.insert(pid) }
            return result
        }
    }

    /// The child has been reaped, and its pid is free.
    static func forget(_ pid: Int32) {
        pids.withLock { _ = $0.remove(pid) }
    }

    /// The living children that this process has not made, except those in `known`. Children that
    /// have ended are reaped. It blocks.
    static func others(known: Set<Int32>) -> [ProcessHandle] {
        pids.withLock { own in
            var found: [ProcessHandle] = []
            for pid in children() where !own.contains(pid) {
                guard let status = ProcessStatus.ofProcess(pid), status.parent == getpid() else {
                    continue
                }
                if status.isZombie {
                    waitpid(pid, nil, WNOHANG)
                } else if !known.contains(pid), let handle = try? ProcessHandle(child: pid) {
                    // A child that has ended meanwhile is reaped at the next look.
                    found.append(handle)
                }
            }
            return found
        }
    }

    /// Orphans become children of the main thread. Source: proc_tid_children(5), which not every
    /// kernel has.
    private static func children() -> [Int32] {
        let path = "/proc/\(getpid())/task/\(getpid())/children"
        guard access(path, F_OK) == 0 else {
            return ProcessStatus.all().filter { $0.parent == getpid() }.map(\.pid)
        }
        let bytes = ProcFile.read(path, limit: 1 << 20) ?? []
        return bytes.split { $0 == 0x20 || $0 == 0x0A }
            .compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }
}
