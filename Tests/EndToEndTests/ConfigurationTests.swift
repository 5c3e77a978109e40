import FoundationEssentials
import TestKit
import Testing

/// `deployex start` with a wrong value: one line, exit 2, and nothing touched.
@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("DEPLOYEX_MONITORED_REPLICAS", "three"), ("DEPLOYEX_MONITORED_REPLICAS", "0"),
        ("DEPLOYEX_MONITORED_APP_PORT", "65536"), ("DEPLOYEX_MONITORED_APP_PORT", "65535"),
        ("DEPLOYEX_MONITORED_APP_NAME", "../counter"), ("DEPLOYEX_MONITORED_APP_NAME", "a b"),
        ("DEPLOYEX_STORAGE_ADAPTER", "ftp"), ("DEPLOYEX_BASE_PATH", "varlib"),
        ("DEPLOYEX_LOG_PATH", "/tmp/../etc"), ("DEPLOYEX_STORAGE_PATH", "./storage"),
        ("DEPLOYEX_POLL_INTERVAL", "soon"), ("DEPLOYEX_STOP_TIMEOUT", "-1"),
        ("DEPLOYEX_ROLLBACK_TIMEOUT", "nan"), ("DEPLOYEX_CLOUD_ENVIRONMENT", "../prod"),
        ("ERL_EPMD_PORT", "many"),
    ])
    func `a wrong value is one line, and exits 2 before anything is touched`(
        name: String, value: String
    ) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            var variables = ["DEPLOYEX_MONITORED_REPLICAS": "3"]
            variables[name] = value
            let result = try await world.command("start", adding: variables)
            #expect(result.status == 2)
            #expect(result.stdout == "")
            #expect(result.stderr.hasPrefix("deployex: "))
            #expect(result.stderr.contains(name))
            #expect(result.stderr.contains(value))
            #expect(result.stderr.count { $0 == "\n" } == 1)
            #expect(result.stderr.hasSuffix("\n"))
            try await expectNothingTouched(world)
        }
    }

    @Test(arguments: [
        ["start", "--sname", "a b"], ["start", "--sname", "deployex@host.example.com"],
        ["start", "--cookie"], ["start", "--no-such-option"], ["no-such-command"],
        ["start", "an", "argument"],
    ])
    func `wrong arguments are one line, and exit 2 before anything is touched`(
        arguments: [String]
    ) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let result = try await world.command(arguments)
            #expect(result.status == 2)
            #expect(result.stdout == "")
            #expect(result.stderr.hasPrefix("deployex: "))
            #expect(result.stderr.count { $0 == "\n" } == 1)
            try await expectNothingTouched(world)
        }
    }

    @Test func `a cookie's file that is not there is one line, and exits 2`() async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let result = try await world.command(
                "start",
                adding: [
                    "DEPLOYEX_ERLANG_COOKIE": "", "DEPLOYEX_COOKIE_FILE": world.folder + "/none",
                ])
            #expect(result.status == 2)
            #expect(result.stderr.hasPrefix("deployex: no cookie (opening "))
            #expect(result.stderr.count { $0 == "\n" } == 1)
            try await expectNothingTouched(world)
        }
    }

    private func expectNothingTouched(_ world: DeployexWorld) async throws {
        let entries = try FileManager.default.contentsOfDirectory(atPath: world.folder)
        #expect(entries.sorted() == ["home", "log", "out"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: world.folder + "/log") == [])
        #expect(!FreePorts.isListening(world.epmdPort))
    }
}
