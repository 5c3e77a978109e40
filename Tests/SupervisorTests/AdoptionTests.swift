import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Processes that are not our children, as those of an earlier deployex.
@Suite struct AdoptionTests {
    let folder = TemporaryFolder()
    let starter: Starter

    init() throws {
        starter = try Starter()
    }

    /// Starts a script as the leader of a session whose parent is not this process. Its parent ends when it has
    /// left the parent's session: what is found in a session whose leader has ended is killed.
    func orphan(_ script: String) async throws -> ProcessIdentity {
        let parent = try Starter()
        try await parent.start(
            Program(
                path: "/bin/sh",
                arguments: [
                    "-c", "mkfifo left; setsid -f sh -c 'echo > left; \(script)'; read line < left",
                ],
                environment: ["PATH": "/usr/bin:/bin"], folder: folder.path,
                stdoutPath: folder("out.log"), stderrPath: folder("err.log")))
        var identity: ProcessIdentity?
        try await eventually {
            identity = folder.text("pid").flatMap { text in
                text.hasSuffix("\n") ? Int32(text.dropLast()) : nil
            }.flatMap { ProcessIdentity.ofRunning(pid: $0) }
            return identity != nil
        }
        return try #require(identity)
    }

    @Test func `an adopted process is watched and stopped with its session`() async throws {
        let identity = try await orphan("sleep 600 & echo $! > kid; echo $$ > pid; wait")
        let kid = try #require(folder.text("kid").flatMap { Int32($0.dropLast()) })
        #expect(try await starter.adopt(identity))
        #expect(await starter.events == [])
        await starter.terminate()
        #expect(try await starter.allEvents() == [.exited(.unknown), .ended(survivors: 0)])
        #expect(!identity.isRunning)
        #expect(ProcessIdentity.ofRunning(pid: kid) == nil)
    }

    @Test func `when an adopted leader dies, the members known from before are killed`()
        async throws
    {
        let identity = try await orphan("sleep 600 & echo $! > kid; echo $$ > pid; wait")
        let kid = try #require(folder.text("kid").flatMap { Int32($0.dropLast()) })
        #expect(try await starter.adopt(identity))
        kill(identity.pid, SIGKILL)
        #expect(try await starter.allEvents() == [.exited(.unknown), .ended(survivors: 0)])
        #expect(ProcessIdentity.ofRunning(pid: kid) == nil)
    }

    @Test func `a leftover is stopped by SIGTERM`() async throws {
        let identity = try await orphan("echo $$ > pid; exec sleep 600")
        let outcome = try await starter.stopLeftover(identity, timeout: .seconds(10))
        #expect(outcome == .stopped(killed: false))
        #expect(!identity.isRunning)
    }

    @Test func `a leftover that ignores SIGTERM is killed after the timeout`() async throws {
        let identity = try await orphan(
            "trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done")
        let outcome = try await starter.stopLeftover(identity, timeout: .milliseconds(200))
        #expect(outcome == .stopped(killed: true))
        #expect(!identity.isRunning)
    }

    @Test func `a process with another identity is never signalled`() async throws {
        let identity = try await orphan("echo $$ > pid; exec sleep 600")
        defer { kill(identity.pid, SIGKILL) }
        for other in [
            ProcessIdentity(
                pid: identity.pid, startTicks: identity.startTicks + 1, bootID: identity.bootID),
            ProcessIdentity(
                pid: identity.pid, startTicks: identity.startTicks, bootID: "another boot"),
        ] {
            #expect(try await !starter.adopt(other))
            let outcome = try await starter.stopLeftover(other, timeout: .milliseconds(1))
            #expect(outcome == .notRunning)
        }
        #expect(identity.isRunning)
    }

    @Test func `a session whose leader has gone is nobody's, unless a known member lives`()
        async throws
    {
        let identity = try await orphan("sleep 600 & echo $! > kid; echo $$ > pid; wait")
        let kid = try #require(folder.text("kid").flatMap { Int32($0.dropLast()) })
        defer { kill(kid, SIGKILL) }
        let leader = try #require(ProcessHandle(identity))
        let members = SessionMembers(leader: leader, isLeaderReserved: false)
        let known = members.find(known: [])
        #expect(known.map(\.identity.pid) == [kid])
        kill(identity.pid, SIGKILL)
        try await eventually { leader.hasExited && ProcessStatus.ofProcess(identity.pid) == nil }
        #expect(members.find(known: []).map(\.identity.pid) == [])
        #expect(members.find(known: known).map(\.identity.pid) == [kid])
    }
}
