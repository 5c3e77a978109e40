internal import CLinux
internal import Glibc
internal import Transport

/// A child that leads its own session. It waits for its release before it becomes its program.
///
/// Its identity is written to disk while it waits. If we are killed in that time, the child ends by
/// itself. So no program ever runs that no record names. It blocks.
struct HeldProcess: ~Copyable {
    let handle: ProcessHandle
    private let gate: FileDescriptor
    private let program: Program

    static func start(_ program: Program) throws(SpawnError) -> HeldProcess {
        let attempt = "starting \(program.path)"
        let name = program.name ?? program.path
        let arguments = ([name] + program.arguments).map { Array($0.utf8) }
        let variables = program.variables
        let texts = [Array((program.path + program.folder).utf8)] + arguments + variables
        guard !texts.contains(where: { $0.contains(0) }) else {
            throw SpawnError("\(attempt): an argument or variable holds a NUL")
        }
        let usesLogs = program.terminal == nil
        let out = try Self.openLog(
            usesLogs ? program.stdoutPath : "/dev/null", program, attempt)
        let err = try Self.openLog(
            usesLogs ? program.stderrPath : "/dev/null", program, attempt)
        for log in [out.raw, err.raw] { try program.setting.own(log: log, attempt) }
        var pid: pid_t = 0
        var gate: Int32 = -1
        let code = Self.withCStrings(arguments) { argv in
            Self.withCStrings(variables) { envp in
                program.setting.withCProgram { start in
                    program.path.withCString { path in
                        program.folder.withCString { folder in
                            (start.path, start.directory) = (path, folder)
                            (start.argv, start.envp) = (argv, envp)
                            start.pid_text = program.pidPlace(in: envp, variables)
                            (start.in, start.out) = (-1, program.stdout ?? out.raw)
                            start.err = program.stderr ?? err.raw
                            if let terminal = program.terminal {
                                (start.in, start.out, start.err) = (terminal, terminal, terminal)
                                start.takes_terminal = 1
                            }
                            return OwnChildren.make {
                                let code = clinux_spawn_held(&pid, &gate, &start)
                                return (code, code == 0 ? pid : nil)
                            }
                        }
                    }
                }
            }
        }
        guard code == 0 else {
            throw SpawnError(SystemError(attempt, code: code).description)
        }
        let owned = FileDescriptor(owning: gate)
        do {
            let handle = try ProcessHandle(child: pid)
            return HeldProcess(handle: handle, gate: owned, program: program)
        } catch {
            // It has not been reaped, so the pid is still its own.
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            OwnChildren.forget(pid)
            throw SpawnError("\(attempt): \(error)")
        }
    }

    /// Lets the child become its program. It throws if the child cannot, and then nothing is left
    /// of it.
    consuming func release() throws(SpawnError) -> ProcessHandle {
        var stage: Int32 = 0
        let code = clinux_release_held(gate.raw, &stage)
        let handle = handle
        guard code != 0 else { return handle }
        let (path, setting) = (program.path, program.setting)
        let place =
            switch stage {
            case Int32(CLINUX_STAGE_DIRECTORY): "entering \(program.folder)\(setting.asWhom)"
            case Int32(CLINUX_STAGE_PROGRAM): "starting \(path)\(setting.asWhom)"
            case Int32(CLINUX_STAGE_LIMITS): "setting the limits of \(path)"
            case Int32(CLINUX_STAGE_USER):
                "becoming \(setting.user?.name ?? "nobody else") for \(path)"
            default: "preparing to start \(path)"
            }
        abandon()
        throw SpawnError(
            SystemError(place, code: code).description,
            isOfProgram: stage == Int32(CLINUX_STAGE_PROGRAM) && Self.causesInProgram.contains(code)
        )
    }

    /// Source: execve(2).
    private static let causesInProgram: Set<Int32> = [
        ENOENT, ENOEXEC, EACCES, ENOTDIR, EISDIR, ELOOP, EINVAL, ELIBBAD,
    ]

    /// Ends the child before it has run the program.
    consuming func abandon() {
        let handle = handle
        _ = consume gate
        handle.killAndReap()
    }

    private static func openLog(
        _ path: String, _ program: Program, _ attempt: String
    ) throws(SpawnError) -> FileDescriptor {
        try converting(
            { (error: FileSystemError) in SpawnError("\(attempt): opening its log: \(error)") },
            LogOpening.append(to: path, owners: program.logOwners))
    }

    private static func withCStrings<Result>(
        _ strings: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { string in
            (string + [0]).map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { text in
                text.baseAddress.flatMap { strdup($0) }
            }
        }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("Never empty") }
            return body(base)
        }
    }
}

extension Program {
    /// Its environment, each variable as `NAME=VALUE`.
    fileprivate var variables: [[UInt8]] {
        let texts = environment.map { "\($0.key)=\($0.value)" }.sorted().map { Array($0.utf8) }
        let others = foreignVariables.filter { environment[$0.name] == nil }.map(\.entry)
        guard let pidVariable else { return texts + others }
        let room = [UInt8](repeating: UInt8(ascii: "0"), count: Int(CLINUX_PID_BYTES))
        return texts + others + [Array("\(pidVariable)=".utf8) + room]
    }

    /// Where the child writes its pid into its copy of the variables.
    fileprivate func pidPlace(
        in variables: UnsafePointer<UnsafeMutablePointer<CChar>?>, _ entries: [[UInt8]]
    ) -> UnsafeMutablePointer<CChar>? {
        guard let pidVariable else { return nil }
        // It is the last.
        return variables[entries.count - 1]?.advanced(by: pidVariable.utf8.count + 1)
    }
}

extension ProcessSetting {
    /// The setting as a C value; `body` fills in the rest of that value.
    fileprivate func withCProgram<Result>(
        _ body: (inout clinux_program) -> Result
    ) -> Result {
        var program = clinux_program()
        if let umask { (program.sets_umask, program.umask) = (1, umask) }
        if let descriptorLimit { program.descriptor_limit = descriptorLimit.cLimit }
        if let coreLimit { program.core_limit = coreLimit.cLimit }
        let groups = user?.groups ?? []
        let passed = passed.map { clinux_passed(source: $0.source, target: $0.target) }
        return groups.withUnsafeBufferPointer { groups in
            passed.withUnsafeBufferPointer { passed in
                if let user {
                    (program.changes_user, program.user, program.group) = (1, user.id, user.group)
                    (program.groups, program.group_count) = (groups.baseAddress, groups.count)
                }
                (program.passed, program.passed_count) = (passed.baseAddress, passed.count)
                return body(&program)
            }
        }
    }

    /// Gives an opened log to the program's user: the program may open it again, as /dev/stdout.
    fileprivate func own(log: Int32, _ attempt: String) throws(SpawnError) {
        guard let user else { return }
        var status = stat()
        guard fstat(log, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        guard fchown(log, user.id, user.group) == 0 else {
            throw SpawnError("\(attempt): \(SystemError.last("giving \(user.name) its log"))")
        }
    }
}

extension ResourceLimit {
    fileprivate var cLimit: clinux_limit {
        clinux_limit(is_set: 1, soft: soft, sets_hard: hard == nil ? 0 : 1, hard: hard ?? 0)
    }
}
