internal import FoundationEssentials
internal import Glibc
internal import Transport

/// What would be left behind if the measuring ended now: programs that have been started, and folders with
/// everything that runs from them.
enum Leftovers {
    private struct State {
        var pids: Set<pid_t> = []
        var folders: Set<String> = []
    }

    private static let state = Guarded(State())

    /// The signals that end the measuring.
    static let endingSignals = [SIGINT, SIGTERM, SIGHUP]

    /// To be told for each program that was started, and again when it has been waited for.
    static func add(_ pid: pid_t) { state.withLock { _ = $0.pids.insert(pid) } }
    static func remove(_ pid: pid_t) { state.withLock { _ = $0.pids.remove(pid) } }

    static func add(folder: String) { state.withLock { _ = $0.folders.insert(folder) } }
    static func remove(folder: String) { state.withLock { _ = $0.folders.remove(folder) } }

    /// Ends it all, on the loop's thread, which it does not give back: nothing is started meanwhile.
    static func end() {
        let left = state.withLock { $0 }
        // Deployex and EPMD first: nobody is to start an instance anew.
        for pid in left.pids { kill(pid, SIGKILL) }
        for folder in left.folders {
            for _ in 0..<100 where killPrograms(of: folder) > 0 { usleep(50_000) }
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    /// Kills what runs from a folder, and says how many there were.
    static func killPrograms(of folder: String) -> Int {
        let found = ProcFiles.pids.filter {
            ProcFiles.program($0)?.hasPrefix(folder + "/") == true
        }
        for pid in found { kill(pid, SIGKILL) }
        return found.count
    }
}
