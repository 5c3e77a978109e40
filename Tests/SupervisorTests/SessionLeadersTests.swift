import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Processes that nothing on disk names, found by where and how they run.
@Suite struct SessionLeadersTests {
    let folder = TemporaryFolder()
    private static let variable = "RELEASE_NODE_SUFFIX=-7"

    /// Starts a process in the folder that leads a session.
    private func start(_ arguments: [String]) throws -> ProcessHandle {
        let arguments = arguments + ["/usr/bin/env", Self.variable, "/bin/sleep", "600"]
        return try HeldProcess.start(
            Program(
                path: arguments[0], arguments: Array(arguments.dropFirst()), environment: [:],
                folder: folder.path, stdoutPath: "/dev/null", stderrPath: "/dev/null")
        ).release()
    }

    private func found(_ owners: TrustedUsers) -> [Int32] {
        SessionLeaders.running(in: folder.path, with: Self.variable, owners: owners).map(\.pid)
    }

    private func waitUntilFound(_ owners: TrustedUsers) -> [Int32] {
        let deadline = MonotonicTime.now + .seconds(20)
        while MonotonicTime.now < deadline {
            let found = found(owners)
            if !found.isEmpty { return found }
            usleep(10_000)
        }
        return []
    }

    @Test func `a process of ours is found by its folder and its variable`() throws {
        let process = try start([])
        defer { process.killAndReap() }
        #expect(waitUntilFound(TrustedUsers()) == [process.identity.pid])
        #expect(SessionLeaders.running(in: folder.path, with: "RELEASE_NODE_SUFFIX=-8") == [])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a process of another user"))
    func `another user's process that looks the same is none`() throws {
        let process = try start([
            "/usr/bin/setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
        ])
        defer { process.killAndReap() }
        let his = TrustedUsers(others: [54321])
        #expect(waitUntilFound(his) == [process.identity.pid])
        #expect(found(TrustedUsers()) == [])
    }
}
