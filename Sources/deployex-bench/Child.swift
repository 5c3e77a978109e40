internal import Glibc
internal import Transport

/// A child process whose stdin and stdout are pipes to us; its stderr is ours.
///
/// All that the bench starts ends when its stdin does, so that nothing is left behind whatever becomes
/// of the bench. Only used by one task at a time, which is the invariant behind `@unchecked Sendable`.
final class Child: @unchecked Sendable {
    let pid: pid_t
    private let name: String
    private var input: Int32
    private let output: Int32
    private var unread: [UInt8] = []
    private var hasEnded = false

    /// Starts the program at `path`, or found in PATH.
    init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws(BenchError) {
        name = path
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            throw BenchError("starting \(path): \(SystemError.last("making a pipe"))")
        }
        for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer {
            close(toChild[0])
            close(fromChild[1])
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO)
        var argv = ([path] + arguments).map { strdup($0) }
        var variables = Environment.variables
        variables.merge(environment) { _, new in new }
        var envp = variables.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in argv + envp { free(text) } }
        argv.append(nil)
        envp.append(nil)
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, path, &actions, nil, argv, envp)
        guard code == 0 else {
            close(toChild[1])
            close(fromChild[0])
            throw BenchError("\(SystemError("starting \(path)", code: code))")
        }
        self.pid = pid
        input = toChild[1]
        output = fromChild[0]
    }

    /// The next line of its stdout, without its end. Other work of the loop goes on meanwhile.
    func line() async throws -> String {
        try await offload { [self] in try readLine() }
    }

    /// Writes a line to its stdin.
    func send(_ line: String) throws(BenchError) {
        let bytes = Array((line + "\n").utf8)
        guard write(input, bytes, bytes.count) == bytes.count else {
            throw BenchError("\(SystemError.last("writing to \(name)"))")
        }
    }

    private func readLine() throws(BenchError) -> String {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeSubrange(...end) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            let count = read(output, &buffer, buffer.count)
            guard count > 0 else { throw BenchError("\(name) (pid \(pid)) has ended unexpectedly") }
            unread += buffer[..<count]
        }
    }

    /// Ends the process: its stdin, then, when that is not enough within two seconds, itself by its pid.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        close(input)
        let deadline = MonotonicTime.now + .seconds(2)
        while waitpid(pid, nil, WNOHANG) == 0 {
            if MonotonicTime.now >= deadline {
                kill(pid, SIGKILL)
                waitpid(pid, nil, 0)
                break
            }
            usleep(2000)
        }
        close(output)
    }

    /// The processor time that it has used. Source: clock_getcpuclockid(3).
    func processorTime() throws(BenchError) -> Duration {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            throw BenchError("\(name) (pid \(pid)) has ended unexpectedly")
        }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// What it has in memory, in bytes. Source: `VmRSS` in proc_pid_status(5).
    var residentByteCount: Int? {
        Host.lines(of: "/proc/\(pid)/status").first { $0.hasPrefix("VmRSS:") }
            .flatMap { line in Int(line.filter(\.isNumber)) }.map { $0 << 10 }
    }
}

/// Our own environment variables.
enum Environment {
    static var variables: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}

/// What kept the bench from measuring: one line that says what to do.
struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
