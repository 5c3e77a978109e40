internal import Glibc
package import Supervisor
package import Transport

/// Runs a program to its end and collects what it prints.
///
/// The output goes through files in a private folder, since it may hold secrets and be larger than
/// a pipe; they are removed afterwards. Called on the loop's thread, by an actor pinned to it.
package struct ProgramRunner: Sendable {
    private let folder: String
    private let files: any FileSystem
    private let loop: EventLoop
    private let workingFolder: String
    private let setting: ProcessSetting

    /// - Parameters:
    ///   - folder: exists and is deployex's alone; the output goes there.
    ///   - workingFolder: where the program runs; there, where it is `nil`.
    ///   - setting: as whom it runs.
    package init(
        folder: String, files: any FileSystem, loop: EventLoop, workingFolder: String? = nil,
        setting: ProcessSetting = ProcessSetting()
    ) {
        self.folder = folder
        self.files = files
        self.loop = loop
        self.workingFolder = workingFolder ?? folder
        self.setting = setting
    }

    package nonisolated(nonsending) func run(
        _ path: String, _ arguments: [String], environment: [String: String], timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        let stem = "\(folder)/run-\(MonotonicTime.now.nanoseconds)"
        let (standardOutput, standardError) = (stem + "-stdout", stem + "-stderr")
        let files = files
        defer {
            // Not awaited: it is only a clean-up, and a start removes what is left.
            Task { try await offload { try Self.remove([standardOutput, standardError], files) } }
        }
        let end = ProgramEnd()
        let session = try await ProcessSession.start(
            Program(
                path: path, arguments: arguments, environment: environment,
                folder: workingFolder, stdoutPath: standardOutput, stderrPath: standardError,
                setting: setting),
            on: loop, onEvent: { end.received($0) })
        let timer = loop.schedule(after: timeout) { session.killSession() }
        let exit = await withCheckedContinuation { end.wait($0) }
        timer.cancel()
        let limit = HotUpgrade.Evaluation.maximumByteCount
        return try await offload {
            HotUpgrade.ProgramOutput(
                exitStatus: exit.shellStatus,
                standardOutput: try files.read(standardOutput, limit: limit),
                standardError: try files.read(standardError, limit: limit))
        }
    }

    private static func remove(_ paths: [String], _ files: any FileSystem) throws {
        for path in paths { try files.removeFile(path) }
    }
}

/// Waits until nothing of a session is left. Confined to the loop's thread.
final class ProgramEnd: @unchecked Sendable {
    private var exit: ProcessExit?
    private var hasEnded = false
    private var continuation: CheckedContinuation<ProcessExit, Never>?

    func received(_ event: ProcessSession.Event) {
        switch event {
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
    /// The number a shell would give: the exit status, or 128 and the signal.
    fileprivate var shellStatus: Int32 {
        switch self {
        case .code(let code): code
        case .signal(let number): 128 + number
        case .unknown: 255
        }
    }
}
