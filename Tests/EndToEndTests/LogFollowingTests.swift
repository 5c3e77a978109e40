import FoundationEssentials
import Glibc
import Testing

/// `deployex logs -f` while the log is rotated under it.
@Suite struct LogFollowingTests {
    @Test func `logs -f shows every line once while the log is rotated`() async throws {
        let options = DeployexWorld.Options(
            epmd: .deployex,
            variables: ["DEPLOYEX_LOG_MAX_BYTES": "65536", "DEPLOYEX_LOG_FILES": "50"])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            try await world.startCommand(["logs", "1", "-f", "-n", "0"])
            try await world.waitForLine("begin", printingIt: true)
            let padding = String(repeating: "x", count: 190)
            let wanted = (0..<3_000).map { "line \($0) \(padding)" }
            // 600 kB in all: as large as nine logs.
            for begin in stride(from: 0, to: wanted.count, by: 100) {
                let lines = wanted[begin..<(begin + 100)].map { $0 + "\n" }.joined()
                try await world.print(lines, at: 1)
            }
            try await world.waitForLine(wanted[wanted.count - 1])
            let found = await world.lastOutput.split(separator: "\n").map(String.init)
                .filter { $0.hasPrefix("line ") }
            #expect(found == wanted)
            try await world.waitForRotation()
            #expect(await world.endStartedCommand(SIGTERM) == 128 + SIGTERM)
        }
    }
}

extension DeployexWorld {
    /// Waits until instance 1's log has lost its head to a piece beside it.
    func waitForRotation() throws {
        try wait("a rotated piece of the log") {
            let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/log/counter")
            return files.contains { $0.hasPrefix("counter-1-stdout.log.0") }
        }
    }
}
