import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What becomes of an instance's logs and last words.
@Suite struct InstanceLogTests {
    @Test
    func `a deleted log is made anew with what the instance prints, and a crash line quotes it`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.status(of: 1)
            let log = try await world.instanceLog("stderr")
            // The file as it is now has been seen.
            try await world.say("first words")
            try await world.wait("the first words") { world.text(log)?.contains("first") == true }
            let deployex = try #require(await world.deployexPID)
            try await world.wait("deployex to look at the log") {
                ProcFolder.descriptors(deployex).values.contains(log)
            }
            try FileManager.default.removeItem(atPath: log)
            try await world.say("second words")
            try await world.waitForLog("\(log) was deleted while its instance writes to it")
            try await world.wait("the second words") {
                world.text(log)?.contains("second words") == true
            }
            try await world.say("last words")
            try await world.wait("the last words") { world.text(log)?.contains("last") == true }
            let shown = try await world.command("logs", "1", "--stderr")
            #expect(shown.stdout.contains("last words"))

            let pid = try #require(before.osPid)
            #expect(kill(pid, SIGKILL) == 0)
            let line = try await world.waitForLog("Application instance: 1 crashed")
            #expect(line.hasSuffix("; it said last: last words"), "\(line)")

            // What it said in an earlier life it did not say now.
            let mark = await world.logMark
            let again = try await world.waitForAnswer(version: "0.1.0", otherThan: pid)
            #expect(kill(again.osPID, SIGKILL) == 0)
            let second = try await world.waitForLog("crashed", after: mark)
            #expect(!second.contains("last words"), "\(second)")
        }
    }
}

extension DeployexWorld {
    fileprivate func instanceLog(_ stream: String) throws -> String {
        guard let root = variables["DEPLOYEX_LOG_PATH"] else { throw TestFailure("no log path") }
        return "\(root)/counter/counter-1-\(stream).log"
    }

    fileprivate func say(_ text: String) throws {
        let result = try command(
            "rpc", "counter-1", "io", "put_chars", "[standard_error, \"\(text)\\n\"]")
        guard result.status == 0 else { throw TestFailure("\(result)") }
    }
}
