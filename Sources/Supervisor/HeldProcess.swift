internal import CLinux
internal import Glibc
internal import Transport

/// A child that leads its own session and waits, before it becomes its program, to be released.
///
/// Between the two its identity is written to disk. When we are killed in between, the child ends by
/// itself: there is no moment at which a program runs that no record names. It blocks.
struct HeldProcess: ~Copyable {
    let handle: ProcessHandle
    private let gate: FileDescriptor
    private let path: String
    private let folder: String

    private init(handle: ProcessHandle, gate: consuming FileDescriptor, program: Program) {
        self.handle = handle
        self.gate = gate
        path = program.path
        folder = program.folder
    }

    static func start(_ program: Program) throws(SpawnError) -> HeldProcess {
        let attempt = "starting \(program.path)"
        let variables = program.environment.map { "\($0.key)=\($0.value)" }.sorted()
        let texts = [program.path, program.folder] + program.arguments + variables
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw SpawnError("\(attempt): an argument or variable holds a NUL")
        }
        let out = try Self.openLog(program.stdoutPath, program, attempt)
        let err = try Self.openLog(program.stderrPath, program, attempt)
        var pid: pid_t = 0
        var gate: Int32 = -1
        let code = Self.withCStrings([program.path] + program.arguments) { argv in
            Self.withCStrings(variables) { envp in
                clinux_spawn_held(
                    &pid, &gate, program.path, argv, envp, program.folder, out.raw, err.raw)
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
            throw SpawnError("\(attempt): \(error)")
        }
    }

    /// Lets the child become its program; throws when it cannot, and then nothing is left of it.
    consuming func release() throws(SpawnError) -> ProcessHandle {
        var stage: Int32 = 0
        let code = clinux_release_held(gate.raw, &stage)
        let handle = handle
        guard code != 0 else { return handle }
        let place =
            switch stage {
            case Int32(CLINUX_STAGE_DIRECTORY): "entering \(folder)"
            case Int32(CLINUX_STAGE_PROGRAM): "starting \(path)"
            default: "preparing to start \(path)"
            }
        abandon()
        throw SpawnError(SystemError(place, code: code).description)
    }

    /// Ends the child without having run the program.
    consuming func abandon() {
        let handle = handle
        _ = consume gate
        handle.killAndReap()
    }

    private static func openLog(
        _ path: String, _ program: Program, _ attempt: String
    ) throws(SpawnError) -> FileDescriptor {
        do throws(FileSystemError) {
            return try LogOpening.append(to: path, owners: program.logOwners)
        } catch {
            throw SpawnError("\(attempt): opening its log: \(error)")
        }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("Never empty") }
            return body(base)
        }
    }
}
