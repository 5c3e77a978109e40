internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex epmd` as a separate process that outlives whoever started it. It is used on the event
/// loop's thread.
final class EPMDProcess {
    /// Its standard error: memory that lives as long as this process or the EPMD, so that the EPMD
    /// can still write when we are gone.
    private let output: FileDescriptor
    private var exit: ProcessExit?
    private(set) var identity: ProcessIdentity?

    /// Only the first bytes of its output are read.
    private static let maximumByteCount = 4096

    private init(output: consuming FileDescriptor) {
        self.output = output
    }

    /// Starts the EPMD. The caller has to find out whether it listens. Called on the loop's thread.
    nonisolated(nonsending) static func start(
        environment: [String: String], loop: EventLoop
    ) async throws(CommandFailure) -> EPMDProcess {
        let names = [
            "ERL_EPMD_PORT", "ERL_EPMD_ADDRESS", "DEPLOYEX_DIST_NETWORKS", "PATH", "LANG",
        ]
        let process: EPMDProcess
        do throws(SystemError) {
            process = EPMDProcess(output: try FileDescriptor.inMemory("deployex-epmd"))
        } catch {
            throw CommandFailure(unreachable: "starting EPMD: \(error)")
        }
        // Run the program that runs now, even if its file has been replaced or was found through
        // PATH. The child asks for its own program.
        var program = Program(
            path: "/proc/self/exe", arguments: ["epmd"],
            environment: environment.filter { names.contains($0.key) }, folder: "/",
            stdoutPath: "/dev/null", stderrPath: "/dev/null")
        program.name = "deployex"
        program.stderr = process.output.raw
        do {
            let session = try await ProcessSession.start(program, on: loop) { event in
                guard case .exited(let exit) = event else { return }
                process.exit = exit
            }
            process.identity = session.identity
        } catch {
            throw CommandFailure(unreachable: "\(error)")
        }
        return process
    }

    /// Why the EPMD has ended; `nil` while it runs.
    var end: String? {
        exit.map { exit in
            "starting EPMD: it has ended with \(exit)"
                + (lines.isEmpty ? "" : ": \(lines.joined(separator: "; "))")
        }
    }

    /// The EPMD's output, without the program's name.
    var lines: [String] {
        var bytes = [UInt8](repeating: 0, count: Self.maximumByteCount)
        let count = pread(output.raw, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
            .split(separator: "\n").map { line in
                line.hasPrefix("deployex: ") ? String(line.dropFirst(10)) : String(line)
            }
    }
}
