internal import CLinux
internal import Glibc
internal import Supervisor
internal import TestKit
internal import Transport

/// Pids that have become a stranger's, given to the code that signals instances.
///
/// It runs in a pid namespace of its own, where nobody else takes pids, so that
/// `/proc/sys/kernel/ns_last_pid` decides which pid comes next. A process that has ended and the
/// stranger that gets its pid are a clock tick apart at least: pids come round in seconds.
///
/// In nine of ten trials the identity is all there is, as after a restart; in the others a session had
/// adopted the process before it ended, and signals after the stranger has come.
enum ReusedPIDs {
    static let innerCommand = "try-reused-pids"
    /// Trials that share the wait for the clock. A session looks at all processes again and again.
    private static let batchSize = (recorded: 180, held: 20)

    static func measure(_ options: MeasureOptions) async throws -> [Figure] {
        let output = "/tmp/deployex-reliability-pids-\(getpid())"
        Leftovers.add(path: output)
        defer {
            unlink(output)
            Leftovers.remove(path: output)
        }
        var arguments = ["--pid", "--fork", "--kill-child", "--mount-proc"]
        // Whoever is not root has the right to all this in a user namespace.
        if getuid() != 0 { arguments.insert("--map-root-user", at: 0) }
        guard let own = ProcFolder.program(getpid()) else {
            throw TestFailure("/proc/self/exe cannot be read")
        }
        let inner = try ChildProcess.launch(
            "unshare", arguments + [own, innerCommand, "\(options.effort.reuseTrials)"],
            environment: ["PATH": ThisHost.path], output: output)
        let status = await offload { inner.waitForEnd(.seconds(86_400)) }
        let words = Files.text(output).split(whereSeparator: \.isWhitespace)
        guard status == 0, words.count == 3, let trials = Int(words[0]), let hits = Int(words[1]),
            let mistaken = Int(words[2])
        else {
            throw TestFailure("the pid namespace has failed: \(Files.text(output))")
        }
        return [
            Figure(none: "signals to a stranger with a reused pid", hits, of: "\(trials)"),
            Figure(none: "strangers taken for the instance", mistaken, of: "\(trials)"),
        ]
    }

    private struct Count {
        var trials = 0
        var hits = 0
        var mistaken = 0
    }

    /// `TRIALS HITS MISTAKEN`
    static func runInside(count: Int, on loop: EventLoop) async throws -> String {
        var total = Count()
        var isHeld = false
        while total.trials < count {
            try await runBatch(isHeld: isHeld, &total, on: loop)
            isHeld.toggle()
        }
        return "\(total.trials) \(total.hits) \(total.mistaken)"
    }

    private static func runBatch(
        isHeld: Bool, _ total: inout Count, on loop: EventLoop
    ) async throws {
        let batchSize = isHeld ? batchSize.held : batchSize.recorded
        let originals = try (0..<batchSize).map { _ in try Waiting() }
        var identities: [ProcessIdentity] = []
        for process in originals {
            guard let identity = ProcessIdentity.ofRunning(pid: process.pid) else {
                throw TestFailure("process \(process.pid) has ended by itself")
            }
            identities.append(identity)
        }
        var sessions: [(session: ProcessSession, events: AsyncStream<ProcessSession.Event>)] = []
        if isHeld {
            for identity in identities {
                let (events, sink) = AsyncStream.makeStream(of: ProcessSession.Event.self)
                let session = try await ProcessSession.adopt(
                    identity, on: loop, onEvent: { sink.yield($0) })
                guard let session else { throw TestFailure("\(identity) was not adopted") }
                sessions.append((session, events))
            }
        }
        // From here to the strangers nothing lets the loop go on: no session sees the end before them.
        for process in originals { process.end() }
        usleep(11_000)
        let strangers = try originals.map { process in
            try choosePID(process.pid)
            return try Waiting()
        }
        for (session, events) in sessions {
            session.terminate()
            session.killSession()
            for await case .ended in events { break }
        }
        for identity in identities where !isHeld {
            let outcome = try await LeftoverSession.stop(
                identity, timeout: .milliseconds(10),
                in: SystemProcesses(loop: loop), on: loop)
            if identity.isRunning || outcome != .notRunning { total.mistaken += 1 }
        }
        for (original, stranger) in zip(originals, strangers) {
            // Each ends with 127 when its gate is closed: unless it was signalled before.
            let status = stranger.end()
            // A thread of ours may have been faster to take the number.
            guard stranger.pid == original.pid else { continue }
            total.trials += 1
            if status != 127 { total.hits += 1 }
        }
    }

    private static func choosePID(_ pid: Int32) throws {
        let file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        let text = Array("\(pid - 1)".utf8)
        guard file >= 0, write(file, text, text.count) == text.count else {
            throw TestFailure("\(SystemError.last("writing /proc/sys/kernel/ns_last_pid"))")
        }
    }

    /// A process that leads a session of its own and waits, as an instance does before it becomes its
    /// program.
    private struct Waiting {
        private(set) var pid: pid_t = 0
        private var gate: Int32 = -1

        init() throws {
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            defer { close(null) }
            // Neither arguments nor variables.
            var nothing: UnsafeMutablePointer<CChar>?
            var started: (pid_t, Int32) = (0, -1)
            let code = "/bin/true".withCString { path in
                "/".withCString { folder in
                    withUnsafePointer(to: &nothing) { nothing in
                        var program = clinux_program()
                        (program.path, program.directory) = (path, folder)
                        (program.argv, program.envp) = (nothing, nothing)
                        (program.in, program.out, program.err) = (null, null, null)
                        return clinux_spawn_held(&started.0, &started.1, &program)
                    }
                }
            }
            (pid, gate) = started
            guard code == 0 else { throw TestFailure("\(SystemError("forking", code: code))") }
        }

        /// Lets it go. The exit status, or 128 + the signal's number.
        @discardableResult
        func end() -> Int32 {
            close(gate)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let signal = status & 0x7F
            return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
        }
    }
}
