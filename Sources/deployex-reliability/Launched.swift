internal import Glibc
internal import Transport

/// A program that we have started: without a shell, in a session of its own, with exactly the
/// environment given. It is waited for and signalled by its pid alone.
struct Launched: Sendable {
    let pid: pid_t

    /// POSIX_SPAWN_SETSID, which the Glibc module lacks.
    private static let newSession: Int32 = 0x80

    /// - Parameters:
    ///   - path: the program, by its absolute path.
    ///   - output: where its stdout and stderr are appended.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], output: String
    ) throws(MeasureError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // What this process has open without close-on-exec; a number that is not open does no harm.
        for descriptor: Int32 in 3..<256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | Self.newSession))
        var texts = ([path] + arguments).map { strdup($0) }
        var variables = environment.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in texts + variables { free(text) } }
        texts.append(nil)
        variables.append(nil)
        var pid = pid_t()
        let code = posix_spawn(&pid, path, &actions, &attributes, texts, variables)
        guard code == 0 else {
            throw MeasureError("\(SystemError("starting \(path)", code: code))")
        }
        self.pid = pid
        Leftovers.add(pid)
    }

    /// Kills it and waits for its end.
    func kill() {
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        Leftovers.remove(pid)
    }

    /// Whether it has not ended.
    var isRunning: Bool {
        let status = ProcFiles.status(pid)
        return !status.isEmpty && status[0] != "Z"
    }

    /// The exit status, or 128 + the signal's number; `nil` while it runs. Its pid is free then.
    func end() -> Int32? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        Leftovers.remove(pid)
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// Waits until it has ended by itself.
    func waitForEnd(within timeout: Duration, on loop: EventLoop) async throws -> Int32 {
        let deadline = MonotonicTime.now + timeout
        while true {
            if let status = end() { return status }
            guard MonotonicTime.now < deadline else {
                throw MeasureError("process \(pid) does not end")
            }
            await loop.sleep(for: .milliseconds(5))
        }
    }
}
