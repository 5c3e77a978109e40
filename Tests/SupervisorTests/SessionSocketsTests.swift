import Glibc
import TestKit
import Testing

@testable import Supervisor

@Suite struct SessionSocketsTests {
    private func own() throws -> SessionSockets {
        let identity = try #require(ProcessIdentity.ofRunning(pid: getpid()))
        return SessionSockets(
            leader: try #require(ProcessHandle(identity)), isLeaderReserved: false, known: [])
    }

    @Test func `a session holds the sockets of its processes and no others`() throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(raw) }
        var status = stat()
        #expect(fstat(raw, &status) == 0)
        let inode = UInt64(status.st_ino)
        let sockets = try own()
        #expect(sockets.hold([inode]) == .held)
        #expect(sockets.hold([inode, .max]) == .notHeld)
        #expect(sockets.hold([.max]) == .notHeld)
        #expect(sockets.user == geteuid())
    }

    @Test func `a process that has ended holds nothing, and has no user`() throws {
        let process = try ChildProcess("sleep", ["600"])
        let identity = try #require(ProcessIdentity.ofRunning(pid: process.pid))
        let sockets = SessionSockets(
            leader: try #require(ProcessHandle(identity)), isLeaderReserved: false, known: [])
        #expect(sockets.user == geteuid())
        #expect(sockets.hold([1]) == .notHeld)
        process.kill()
        #expect(sockets.hold([1]) == .notHeld)
        #expect(sockets.user == nil)
    }

    @Test func `the holder of a socket is found, and that nobody holds one`() throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var status = stat()
        #expect(fstat(raw, &status) == 0)
        let inode = UInt64(status.st_ino)
        guard case .found(let holder) = SocketHolder.find([inode], of: [geteuid()]) else {
            Issue.record("not found")
            return
        }
        #expect(holder.pid == getpid())
        close(raw)
        let found = SocketHolder.find([inode], of: [geteuid()])
        // Without root's rights it does not see into every process of its own user.
        #expect(found == .nobody || geteuid() != 0 && found == .unknown)
    }
}
