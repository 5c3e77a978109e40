import Glibc
import Synchronization
import Transport

/// A program of OTP started for a test, with its output. Ended by its pid, at the latest when the test
/// lets go of it.
final class EPMDPeerProcess: Sendable {
    let pid: pid_t
    private let output: Int32
    private let isReaped = Atomic(false)

    struct SpawnError: Error {
        var program: String
        var code: Int32
    }

    /// Starts `arguments` with EPMD's port in its environment.
    init(_ arguments: [String], epmdPort: UInt16) throws {
        var pipe: [Int32] = [-1, -1]
        // Close-on-exec from the start: no other test's child may hold this output open.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &pipe) == 0 else {
            throw SpawnError(program: "socketpair", code: errno)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 2)
        var environment = ["ERL_EPMD_PORT": "\(epmdPort)"]
        for name in ["PATH", "HOME"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        environment = OTPRelease.current.environment(environment)
        let command = OTPRelease.current.command(arguments)
        var argv = command.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for string in argv + envp { free(string) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, command[0], &actions, nil, &argv, &envp)
        Glibc.close(pipe[1])
        guard code == 0 else {
            Glibc.close(pipe[0])
            throw SpawnError(program: arguments[0], code: code)
        }
        self.pid = pid
        output = pipe[0]
    }

    /// Ends it at once, as a crash would.
    func kill() async {
        Glibc.kill(pid, SIGKILL)
        _ = await outputUntilExit()
    }

    deinit {
        guard !isReaped.load(ordering: .sequentiallyConsistent) else { return }
        Glibc.kill(pid, SIGKILL)
        reap()
    }

    private func reap() {
        Glibc.close(output)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        isReaped.store(true, ordering: .sequentiallyConsistent)
    }

    /// Everything it printed, once it has ended by itself.
    func outputUntilExit() async -> String {
        await offload { [self] in
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(output, &buffer, buffer.count)
                if count > 0 {
                    text += buffer[..<count]
                } else if errno != EINTR || count == 0 {
                    break
                }
            }
            reap()
            return String(decoding: text, as: UTF8.self)
        }
    }
}
