internal import FoundationEssentials
internal import Glibc
internal import Transport

/// What would be left behind if the measuring ended now: programs that have been started, files,
/// and sites' folders with everything that runs there.
enum Leftovers {
    private struct State {
        var pids: Set<pid_t> = []
        var paths: Set<String> = []
    }

    private static let state = Guarded(State())

    /// The signals that end the measuring.
    static let endingSignals = [SIGINT, SIGTERM, SIGHUP]

    /// To be told for each program that was started, and again when it has been waited for.
    static func add(_ pid: pid_t) { state.withLock { _ = $0.pids.insert(pid) } }
    static func remove(_ pid: pid_t) { state.withLock { _ = $0.pids.remove(pid) } }

    static func add(path: String) { state.withLock { _ = $0.paths.insert(path) } }
    static func remove(path: String) { state.withLock { _ = $0.paths.remove(path) } }

    /// Ends it all, on the loop's thread, which it does not give back: nothing is started meanwhile.
    static func end() {
        let left = state.withLock { $0 }
        // Deployex and EPMD first: nobody is to start an instance anew.
        for pid in left.pids { kill(pid, SIGKILL) }
        for path in left.paths {
            for _ in 0..<100 {
                if killPrograms(of: path) == 0 { break }
                usleep(50_000)
            }
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Kills what runs in the environment of a site in this folder, and says how many there were. An
    /// instance's program need not be in the folder: a script of a release may have become any.
    static func killPrograms(of folder: String) -> Int {
        let home = Site.home(in: folder)
        let found = ProcFiles.pids.filter { ProcFiles.variable("HOME", of: $0) == home }
        for pid in found { kill(pid, SIGKILL) }
        return found.count
    }
}
