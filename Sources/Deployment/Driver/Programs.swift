internal import Supervisor
internal import Transport

/// Runs programs that end by themselves, each until no process of its session is left or its
/// deadline kills it.
///
/// Confined to the loop's thread.
final class Programs: @unchecked Sendable {
    private let processes: any ProcessHost
    private let loop: any SerialLoop
    private var running: [ObjectIdentifier: any RunningSession] = [:]
    /// Whether it no longer starts programs.
    private(set) var hasStopped = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(processes: any ProcessHost, loop: any SerialLoop) {
        self.processes = processes
        self.loop = loop
    }

    /// Kills the running programs, and starts no more. Returns when none runs.
    nonisolated(nonsending) func stop() async {
        hasStopped = true
        for session in running.values { session.killSession() }
        await withCheckedContinuation {
            // Looked at here, as something else may run before this closure does.
            if running.isEmpty { $0.resume() } else { waiters.append($0) }
        }
    }

    private func ended(_ session: any RunningSession) {
        running[ObjectIdentifier(session)] = nil
        guard running.isEmpty else { return }
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// - Parameter record: as ``ProcessHost/start(_:record:onEvent:)`` takes it.
    nonisolated(nonsending) func run(
        _ program: Program, until deadline: MonotonicTime,
        record: @escaping @Sendable (ProcessIdentity) throws -> Void = { _ in }
    ) async throws -> ProcessExit {
        guard !hasStopped else {
            throw SpawnError("starting \(program.path): deployex is stopping")
        }
        let end = ProgramEnd()
        let session = try await processes.start(
            program, record: record, onEvent: { end.received($0) })
        running[ObjectIdentifier(session)] = session
        if hasStopped { session.killSession() }
        let timer = loop.schedule(at: deadline) { session.killSession() }
        let exit = await withCheckedContinuation { end.wait($0) }
        timer.cancel()
        ended(session)
        return exit
    }

    /// Runs a program and returns all that it prints.
    ///
    /// The output goes through files in `folder`, because it may be larger than a pipe. Only
    /// deployex may enter `folder`, because the output may hold secrets. The files are removed
    /// afterwards, or by the next start.
    nonisolated(nonsending) func collectingOutput(
        _ path: String, _ arguments: [String], environment: [String: String],
        foreignVariables: [ForeignVariable], workingFolder: String, setting: ProcessSetting,
        in folder: String, for name: InstanceName,
        files: any FileSystem, timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        let stem = "\(folder)/run-\(name)-\(loop.now.nanoseconds)"
        let (standardOutput, standardError) = (stem + "-stdout", stem + "-stderr")
        let result: Result<HotUpgrade.ProgramOutput, any Error>
        do {
            var program = Program(
                path: path, arguments: arguments, environment: environment,
                folder: workingFolder, stdoutPath: standardOutput, stderrPath: standardError,
                setting: setting)
            program.foreignVariables = foreignVariables
            let exit = try await run(program, until: loop.now + timeout)
            let limit = HotUpgrade.Evaluation.maximumByteCount
            result = await loop.offload {
                Result {
                    HotUpgrade.ProgramOutput(
                        exitStatus: exit.shellStatus,
                        standardOutput: try files.read(standardOutput, limit: limit),
                        standardError: try files.read(standardError, limit: limit))
                }
            }
        } catch {
            result = .failure(error)
        }
        // If this fails, only the files are left behind.
        _ = await loop.offload {
            Result {
                for path in [standardOutput, standardError] { try files.removeFile(path) }
            }
        }
        return try result.get()
    }
}

/// Waits until no process of a session is left. Confined to the loop's thread.
private final class ProgramEnd: @unchecked Sendable {
    private var exit: ProcessExit?
    private var hasEnded = false
    private var continuation: CheckedContinuation<ProcessExit, Never>?

    func received(_ event: ProcessSession.Event) {
        switch event {
        case .left: break
        case .exited(let exit): self.exit = exit
        case .ended:
            hasEnded = true
            continuation?.resume(returning: exit ?? .unknown)
            continuation = nil
        }
    }

    func wait(_ continuation: CheckedContinuation<ProcessExit, Never>) {
        if hasEnded {
            continuation.resume(returning: exit ?? .unknown)
        } else {
            self.continuation = continuation
        }
    }
}

extension ProcessExit {
    /// The number that a shell would give: the exit status, or 128 plus the signal.
    fileprivate var shellStatus: Int32 {
        switch self {
        case .code(let code): code
        case .signal(let number): 128 + number
        case .unknown: 255
        }
    }
}
