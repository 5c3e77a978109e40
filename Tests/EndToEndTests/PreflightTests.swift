import TestKit
import Testing

/// `deployex preflight` with the real example: what a version would do, without doing it.
@Suite struct PreflightTests {
    @Test func `it says hot or full and why, and leaves nothing`() async throws {
        try await DeployexWorld.run { world in
            try await world.publish("0.1.1")
            try await world.waitUntilAllRun("0.1.1")
            let process = try await world.status(of: 1).osPid
            for version in ["0.1.2", "0.2.0"] { try await world.place(version) }

            let hot = try await world.command("preflight", "0.1.2")
            #expect(hot.status == 0, "\(hot)")
            #expect(hot.stdout.contains("counter-1  0.1.1 to 0.1.2\n"), "\(hot)")
            #expect(hot.stdout.contains("result      hot upgrade\n"), "\(hot)")
            #expect(
                hot.stdout.contains(
                    "changed     2: Elixir.Counter.Pages, Elixir.Counter.Server\n"), "\(hot)")
            #expect(hot.stdout.contains("suspended   1: Elixir.Counter.Server\n"), "\(hot)")
            #expect(
                hot.stdout.contains("supervised, of which 1 wait while code is exchanged"),
                "\(hot)")

            let full = try await world.command("preflight", "0.2.0", "--instance", "1", "--json")
            #expect(full.status == 1, "\(full)")
            #expect(full.stdout.contains(#""result": "full_deployment""#), "\(full)")
            #expect(full.stdout.contains(#""reason": "[]""#), "\(full)")

            let missing = try await world.command("preflight", "0.9.9")
            #expect(missing.status == 1, "\(missing)")
            #expect(missing.stderr.contains("counter 0.9.9 cannot be looked at: "), "\(missing)")

            // Nothing has happened, and nothing is left.
            #expect(try await world.status(of: 1).osPid == process)
            #expect(try await world.status(of: 1).version == "0.1.1")
            let folder = world.service(1, "current") + "/.."
            #expect(Files.names(folder).filter { $0.hasPrefix("new") } == [])
        }
    }
}
