import Glibc
import Synchronization
import TestKit
import Testing
import Transport

@testable import Supervisor

/// A holder in a thread of this process, and a client, over a real socket.
@Suite struct HolderServerTests {
    private let folder = TemporaryFolder("holder")

    private func open() throws -> FileDescriptor {
        let raw = Glibc.open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(raw >= 0)
        return FileDescriptor(owning: raw)
    }

    /// Runs a holder until it ends.
    private func start() throws -> Thread {
        let folder = try open()
        let listener = try LocalSocket.bind(in: folder)
        return Thread(listener.release(), folder.release())
    }

    /// A thread that a test can wait for.
    private final class Thread: Sendable {
        private let hasEnded = Mutex(false)

        init(_ listener: Int32, _ folder: Int32) {
            let end: @Sendable () -> Void = { self.hasEnded.withLock { $0 = true } }
            Task.detached {
                await offload {
                    if let server = HolderServer(listener: listener, folder: folder) {
                        server.run()
                    }
                    end()
                }
            }
        }

        func join() async throws {
            while !hasEnded.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    private func connected() async throws -> HolderClient {
        while true {
            let folder = try open()
            if let found = try HolderClient.connect(in: folder, users: TrustedUsers()) {
                return found
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func listening() throws -> ListeningSocketHandle {
        let descriptor = try ListeningDescriptor.open(.loopback(port: 0))
        guard let handle = ListeningSocketHandle(descriptor) else {
            throw TestFailure("it does not listen")
        }
        return handle
    }

    private let http = HeldSocketName(application: "shop", listener: "http")

    @Test func `a socket outlives the client that has given it`() async throws {
        let thread = try start()
        let port: UInt16
        do {
            let client = try await connected()
            let socket = try listening()
            port = socket.address.port
            try client.keep(http, socket)
        }
        // Everything of the client's is closed: the port is open still.
        #expect(FreePorts.isListening(Int(port)))
        let client = try await connected()
        let found = try client.sockets()
        #expect(found.keys.map { $0 } == [http])
        #expect(found[http]?.address == .loopback(port: port))
        try client.drop(http)
        #expect(try client.sockets().isEmpty)
        try client.end()
        try await thread.join()
        #expect(!Files.exists(folder(LocalSocket.name)))
    }

    @Test func `what is no listening socket is refused, and a strange packet ends nothing`()
        async throws
    {
        let thread = try start()
        let client = try await connected()
        guard let stranger = try LocalSocket.connect(in: try open(), within: .seconds(5)) else {
            throw TestFailure("nobody listens")
        }
        // Too long for a message: the holder hangs up.
        let long = [UInt8](repeating: 1, count: HolderPacket.maximumByteCount + 1)
        #expect(send(stranger.raw, long, long.count, Int32(MSG_NOSIGNAL)) == long.count)
        var byte: UInt8 = 0
        #expect(recv(stranger.raw, &byte, 1, 0) == 0)
        #expect(try client.sockets().isEmpty)
        let (socket, other) = (try listening(), try listening())
        try client.keep(http, socket)
        try client.keep(http, other)
        #expect(try client.sockets()[http]?.address == other.address)
        try client.end()
        try await thread.join()
    }

    @Test func `it ends when nobody can reach it any more`() async throws {
        let thread = try start()
        do {
            let client = try await connected()
            try client.keep(http, listening())
            #expect(unlink(folder(LocalSocket.name)) == 0)
            // As long as somebody is connected it goes on.
            #expect(try client.sockets().count == 1)
        }
        try await thread.join()
    }
}
