internal import Glibc
internal import TestKit
internal import Transport

/// What would be left behind if the measuring ended now: programs that have been started, files,
/// and sites' folders with everything that runs there.
enum Leftovers {
    private struct State {
        var processes: [ChildProcess] = []
        var paths: Set<String> = []
    }

    private static let state = Guarded(State())

    /// The signals that end the measuring.
    static let endingSignals = [SIGINT, SIGTERM, SIGHUP]

    /// Is to be told of each program that was started.
    static func add(_ process: ChildProcess) {
        state.withLock { state in
            state.processes.removeAll { $0.hasEnded }
            state.processes.append(process)
        }
    }

    static func add(path: String) { state.withLock { _ = $0.paths.insert(path) } }
    static func remove(path: String) { state.withLock { _ = $0.paths.remove(path) } }

    /// Ends it all, on the loop's thread, which it does not give back: nothing is started meanwhile.
    static func end() {
        let left = state.withLock { $0 }
        // Deployex and EPMD first: nobody is to start an instance anew.
        for process in left.processes { process.kill() }
        for path in left.paths { DeployexSite.remove(path) }
    }
}

extension ChildProcess {
    /// Starts a program with its output appended to a file, as one of the ``Leftovers``.
    static func launch(
        _ path: String, _ arguments: [String], environment: [String: String], output: String
    ) throws(TestFailure) -> ChildProcess {
        let process = try ChildProcess(
            path, arguments, environment: environment, output: .file(output), leadsSession: true)
        Leftovers.add(process)
        return process
    }
}
