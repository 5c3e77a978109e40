internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex epmd` as a process of its own, which outlives whoever started it.
enum EPMDProcess {
    /// Starts it; whether it listens is for the caller to find out. Called on the loop's thread.
    nonisolated(nonsending) static func start(
        environment: [String: String], loop: EventLoop
    ) async throws {
        var buffer = [CChar](repeating: 0, count: 4096)
        // The program that runs now, also when it was found through PATH.
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0, count < buffer.count else {
            throw CommandFailure(
                "starting EPMD: the path of this program is unknown",
                exitCode: ExitCode.unreachable)
        }
        let path = String(
            decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let names = [
            "ERL_EPMD_PORT", "ERL_EPMD_ADDRESS", "DEPLOYEX_DIST_NETWORKS", "PATH", "LANG",
        ]
        do {
            _ = try await ProcessSession.start(
                Program(
                    path: path, arguments: ["epmd"],
                    environment: environment.filter { names.contains($0.key) }, folder: "/",
                    stdoutPath: "/dev/null", stderrPath: "/dev/null"),
                on: loop, onEvent: { _ in })
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.unreachable)
        }
    }
}
