import Glibc
import Transport

/// Runs a real `erl` to its end and collects what it prints.
enum ErlangProcess {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The standard output of `erl -noshell -noinput -eval SCRIPT`, once it has ended by itself with status 0.
    ///
    /// The script ends the node (`halt()`). At the deadline the process is killed by its pid.
    static func run(
        script: String, arguments: [String] = [], timeout: Duration = .seconds(120)
    ) async throws -> String {
        // Threads of the pool must not block in it: the tests beside this one would stand still.
        try await offload { try runBlocking(script, arguments, timeout) }
    }

    private static func runBlocking(
        _ script: String, _ arguments: [String], _ timeout: Duration
    ) throws -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "pipe: errno \(errno)") }
        let (readEnd, writeEnd) = (ends[0], ends[1])
        defer { close(readEnd) }
        // Processes that other tests start meanwhile must not hold the pipe open.
        _ = fcntl(readEnd, F_SETFD, FD_CLOEXEC)
        _ = fcntl(writeEnd, F_SETFD, FD_CLOEXEC)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writeEnd, 1)

        let words = OTPRelease.current.command(
            ["erl", "-noshell", "-noinput"] + arguments + ["-eval", script])
        var argv = words.map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawnp(&pid, words[0], &actions, nil, &argv, environ)
        close(writeEnd)
        guard status == 0 else { throw Failure(description: "posix_spawnp erl: errno \(status)") }

        let output = collect(readEnd, until: .now + timeout)
        if output == nil { kill(pid, SIGKILL) }
        var exitStatus: Int32 = 0
        while waitpid(pid, &exitStatus, 0) == -1, errno == EINTR {}
        guard let output else { throw Failure(description: "erl did not end within \(timeout)") }
        let text = String(decoding: output, as: UTF8.self)
        guard exitStatus == 0 else {
            throw Failure(description: "erl ended with wait status \(exitStatus): \(text)")
        }
        return text
    }

    /// Everything up to the end of file, or `nil` if the deadline comes first.
    private static func collect(
        _ descriptor: Int32, until deadline: ContinuousClock.Instant
    ) -> [UInt8]? {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return nil }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, Int32(left.components.seconds * 1000 + 1)) > 0 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return output }
            output += buffer[..<count]
        }
    }
}

/// A folder that is gone when its user is done. The peers see it under the same path.
struct TemporaryFolder: ~Copyable {
    private let folder: SharedFolder
    var path: String { folder.path }

    init() throws {
        folder = try SharedFolder()
    }

    deinit {
        guard let stream = opendir(path) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            unlink("\(path)/\(name)")
        }
        closedir(stream)
        folder.remove()
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        guard let file = fopen("\(path)/\(name)", "wb") else {
            throw ErlangProcess.Failure(description: "writing \(name): errno \(errno)")
        }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw ErlangProcess.Failure(description: "writing \(name): errno \(errno)")
        }
    }

    func read(_ name: String) throws -> [UInt8] {
        guard let file = fopen("\(path)/\(name)", "rb") else {
            throw ErlangProcess.Failure(description: "reading \(name): errno \(errno)")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}
