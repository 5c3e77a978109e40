internal import Glibc
internal import Synchronization

/// What a child process has open, and how it is started with it.
struct ProcessStreams {
    var input: ChildProcess.Input
    var output: ChildProcess.Output
    var errors: ChildProcess.Output?
    var extraDescriptor: Int32?

    /// A process, and our ends of its pipes.
    struct Started {
        var pid: Int32
        var input: Int32?
        var output: Int32?
    }

    /// Held from the making of pipes until a program has been started: without it, a program that
    /// is started meanwhile would hold them open.
    private static let starting = Mutex(())

    func start(
        _ command: [String], environment: [String: String], leadsSession: Bool
    ) throws(TestFailure) -> Started {
        try Self.starting.withLock { _ throws(TestFailure) in
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            var ends = Ends()
            defer { for descriptor in ends.theirs { close(descriptor) } }
            try add(to: &actions, &ends)
            var pid = pid_t()
            let code = Self.spawn(&pid, command, environment, &actions, leadsSession)
            guard code == 0 else {
                for descriptor in [ends.input, ends.output] { descriptor.map { _ = close($0) } }
                throw TestFailure("starting \(command[0]): \(String(cString: strerror(code)))")
            }
            return Started(pid: pid, input: ends.input, output: ends.output)
        }
    }

    private struct Ends {
        var theirs: [Int32] = []
        var input: Int32?
        var output: Int32?

        /// The two ends of a new pipe.
        static func pipe() throws(TestFailure) -> (reading: Int32, writing: Int32) {
            var ends: [Int32] = [-1, -1]
            guard Glibc.pipe(&ends) == 0 else {
                throw TestFailure("making a pipe: \(String(cString: strerror(errno)))")
            }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    private func add(
        to actions: inout posix_spawn_file_actions_t, _ ends: inout Ends
    ) throws(TestFailure) {
        switch input {
        case .null:
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        case .pipe:
            // Writing to a program that has ended is an error, not our end.
            _ = signal(SIGPIPE, SIG_IGN)
            let pipe = try Ends.pipe()
            ends.theirs.append(pipe.reading)
            ends.input = pipe.writing
            posix_spawn_file_actions_adddup2(&actions, pipe.reading, STDIN_FILENO)
        }
        try add(output, STDOUT_FILENO, to: &actions, &ends)
        if let errors {
            try add(errors, STDERR_FILENO, to: &actions, &ends)
        } else {
            posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        }
        // What we have open without close-on-exec. A number that is not open does no harm.
        for descriptor: Int32 in 3..<256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        if let extraDescriptor {
            posix_spawn_file_actions_addopen(&actions, extraDescriptor, "/dev/null", O_RDONLY, 0)
        }
    }

    private func add(
        _ output: ChildProcess.Output, _ descriptor: Int32,
        to actions: inout posix_spawn_file_actions_t, _ ends: inout Ends
    ) throws(TestFailure) {
        switch output {
        case .null:
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        case .inherited: break
        case .pipe:
            precondition(ends.output == nil, "One pipe is read at a time")
            let pipe = try Ends.pipe()
            ends.theirs.append(pipe.writing)
            ends.output = pipe.reading
            posix_spawn_file_actions_adddup2(&actions, pipe.writing, descriptor)
        case .file(let path):
            posix_spawn_file_actions_addopen(
                &actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
    }

    /// POSIX_SPAWN_SETSID, which the Glibc module lacks.
    private static let newSession: Int32 = 0x80

    private static func spawn(
        _ pid: inout pid_t, _ command: [String], _ environment: [String: String],
        _ actions: inout posix_spawn_file_actions_t, _ leadsSession: Bool
    ) -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags | (leadsSession ? newSession : 0)))
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        return posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
    }
}
