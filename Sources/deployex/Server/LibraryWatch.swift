internal import Supervisor
internal import Transport

/// The libraries that instances use although a newer one has taken their place on the host. It looks
/// when somebody asks, and at most once a minute at each process.
actor LibraryWatch {
    private nonisolated let loop: EventLoop
    private let interval: Duration
    private let look: @Sendable (Int32, _ folder: String) -> [String]
    private var found: [ProcessIdentity: Finding] = [:]

    private struct Finding {
        var libraries: [String]
        var at: MonotonicTime
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter look: the libraries of a process that are not in the folder; it may block.
    init(
        loop: EventLoop, interval: Duration = .seconds(60),
        look: @escaping @Sendable (Int32, _ folder: String) -> [String] = {
            DeletedLibraries.of($0, exceptIn: $1)
        }
    ) {
        self.loop = loop
        self.interval = interval
        self.look = look
    }

    /// - Parameter processes: the instances' processes, and the folders of their releases.
    /// - Returns: by the processes that use any.
    func libraries(
        of processes: [ProcessIdentity: String]
    ) async -> [ProcessIdentity: [String]] {
        let now = MonotonicTime.now
        found = found.filter { now - $0.value.at < interval }
        let unknown = processes.filter { found[$0.key] == nil }
        if !unknown.isEmpty {
            let look = look
            let seen = await offload { () -> [(ProcessIdentity, [String])] in
                unknown.map { process, folder in
                    // The number may be another process's by now.
                    (process, process.isRunning ? look(process.pid, folder) : [])
                }
            }
            for (process, libraries) in seen {
                found[process] = Finding(libraries: libraries, at: now)
            }
        }
        var result: [ProcessIdentity: [String]] = [:]
        for process in processes.keys {
            guard let libraries = found[process]?.libraries, !libraries.isEmpty else { continue }
            result[process] = libraries
        }
        return result
    }
}
