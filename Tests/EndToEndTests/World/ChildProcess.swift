import Glibc

/// A program that a test has started: without a shell, in a session of its own, with exactly the
/// environment given. It is waited for and signalled by its pid alone.
final class ChildProcess {
    struct Result: Equatable {
        /// The exit status, or 128 + the signal's number.
        var status: Int32
        var stdout: String
        var stderr: String
    }

    let pid: pid_t
    private(set) var status: Int32?

    /// - Parameters:
    ///   - path: the program, by its absolute path.
    ///   - extraDescriptor: also open in the program, under this number.
    init(
        _ path: String, _ arguments: [String], environment: [String: String],
        stdout: String, stderr: String, extraDescriptor: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let append = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, stdout, append, 0o600)
        if stdout == stderr {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, stderr, append, 0o600)
        }
        // What this process has open without close-on-exec; a number that is not open does no harm.
        for descriptor: Int32 in 3..<256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        if let extraDescriptor {
            posix_spawn_file_actions_addopen(&actions, extraDescriptor, "/dev/null", O_RDONLY, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Default signals, an empty mask, its own session: nothing of this process leaks in.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | Self.newSession))
        let arguments = Self.strings([path] + arguments)
        let variables = Self.strings(environment.map { "\($0.key)=\($0.value)" })
        defer { for text in arguments + variables { free(text) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, path, &actions, &attributes, arguments, variables)
        guard code == 0 else {
            throw WorldError("starting \(path): \(String(cString: strerror(code)))")
        }
        self.pid = pid
    }

    /// POSIX_SPAWN_SETSID, which the Glibc module lacks.
    private static let newSession: Int32 = 0x80

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }

    /// Whether it has ended; then `status` is known and its pid is free.
    var hasEnded: Bool {
        guard status == nil else { return true }
        var raw: Int32 = 0
        guard waitpid(pid, &raw, WNOHANG) == pid else { return false }
        let signal = raw & 0x7F
        status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
        return true
    }

    func send(_ signal: Int32) {
        guard !hasEnded else { return }
        kill(pid, signal)
    }

    /// Waits for its end; `nil` when it still runs at the deadline.
    func waitForEnd(_ timeout: Duration) -> Int32? {
        let deadline = ContinuousClock.now + timeout
        while !hasEnded {
            guard ContinuousClock.now < deadline else { return nil }
            usleep(5_000)
        }
        return status
    }

    /// SIGTERM, then SIGKILL.
    func end(within timeout: Duration) {
        send(SIGTERM)
        if waitForEnd(timeout) == nil { send(SIGKILL) }
        _ = waitForEnd(.seconds(5))
    }
}
