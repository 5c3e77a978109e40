import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Releases whose program is a script around the one that matters.
@Suite struct WrapperScriptTests {
    @Test
    func `a stop reaches the virtual machine behind a wrapper script, which ends in its order`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.place(
                "counter", "0.1.0", over: "0.1.0", moves: ["bin/counter": "bin/counter.real"],
                scripts: [
                    "bin/counter": """
                    #!/bin/sh
                    "$(dirname "$0")/counter.real" "$@"
                    echo "what the wrapper does afterwards"
                    """
                ])
            try world.site.publish("0.1.0")
            try await world.waitUntilAllRun("0.1.0")
            let machine = try await world.answers()[0].osPID
            let leader = try #require(try await world.status(of: 1).osPid)
            #expect(leader != machine)
            let stopped = try await world.command("stop", "1")
            #expect(stopped.status == 0, "\(stopped)")
            #expect(!ProcFolder.isRunning(machine))
            let output = try #require(
                world.text(world.folder + "/log/counter/counter-1-stdout.log"))
            #expect(output.contains("SIGTERM received - shutting down"))
            let log = await world.log
            #expect(!log.contains("is killed"))
        }
    }
}
