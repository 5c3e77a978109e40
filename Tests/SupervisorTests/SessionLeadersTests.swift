import Foundation
import Glibc
import Testing
import Transport

@testable import Supervisor

/// Processes that nothing on disk names, found by where and how they run.
@Suite struct SessionLeadersTests {
    let folder = TemporaryFolder()
    private static let variable = "RELEASE_NODE_SUFFIX=-7"

    /// Starts a process in the folder that leads a session.
    private func start(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/setsid")
        process.arguments = ["--fork"] + arguments + ["env", Self.variable, "sleep", "600"]
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
    }

    private func found(_ owners: TrustedUsers) -> [ProcessIdentity] {
        SessionLeaders.running(in: folder.path, with: Self.variable, owners: owners)
    }

    private func waitUntilFound(_ owners: TrustedUsers) -> [ProcessIdentity] {
        let deadline = MonotonicTime.now + .seconds(20)
        while MonotonicTime.now < deadline {
            let found = found(owners)
            if !found.isEmpty { return found }
            usleep(10_000)
        }
        return []
    }

    @Test func `a process of ours is found by its folder and its variable`() throws {
        try start([])
        let found = waitUntilFound(TrustedUsers())
        defer { for process in found { kill(process.pid, SIGKILL) } }
        #expect(found.count == 1)
        #expect(SessionLeaders.running(in: folder.path, with: "RELEASE_NODE_SUFFIX=-8") == [])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a process of another user"))
    func `another user's process that looks the same is none`() throws {
        try start(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"])
        let found = waitUntilFound(TrustedUsers(others: [54321]))
        defer { for process in found { kill(process.pid, SIGKILL) } }
        #expect(found.count == 1)
        #expect(self.found(TrustedUsers()) == [])
    }
}
