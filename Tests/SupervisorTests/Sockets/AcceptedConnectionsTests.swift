import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite struct AcceptedConnectionsTests {
    /// This process as a session.
    private func own() throws -> SessionSockets {
        let identity = try #require(ProcessIdentity.ofRunning(pid: getpid()))
        let leader = try #require(ProcessHandle(identity))
        return SessionSockets(leader: leader, isLeaderReserved: false, known: [])
    }

    private func connect(to port: UInt16) throws -> FileDescriptor {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(raw >= 0 && FreePorts.connectToLoopback(raw, port: Int(port)))
        return FileDescriptor(owning: raw)
    }

    @Test(arguments: [SocketAddress.loopback(port: 0), .any(port: 0), .anyOfIPv6(port: 0)])
    func `connections count from their acceptance to their end`(address: SocketAddress) throws {
        let listener = try ListeningDescriptor.open(address)
        let bound = try #require(ListeningDescriptor.address(of: listener.raw))
        let own = try own()
        func count() throws -> Int { try AcceptedConnections.count(at: [bound], of: own) }
        #expect(try count() == 0)
        let client = try connect(to: bound.port)
        let other = try connect(to: bound.port)
        // They wait in the queue: nobody has accepted them.
        #expect(try count() == 0)
        do {
            var poll = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
            #expect(Glibc.poll(&poll, 1, -1) == 1)
            let accepted = accept(listener.raw, nil, nil)
            try #require(accepted >= 0)
            let server = FileDescriptor(owning: accepted)
            #expect(try count() == 1)
            _ = consume server
        }
        #expect(try count() == 0)
        _ = consume client
        _ = consume other
    }
}
