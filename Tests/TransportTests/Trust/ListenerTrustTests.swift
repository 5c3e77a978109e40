import Glibc
import Testing

@testable import Transport

/// The owners of real sockets.
@Suite(.timeLimit(.minutes(1))) struct ListenerTrustTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    /// Where somebody listens, and who has come.
    private func listen() async throws -> (address: SocketAddress, visitor: Endpoint) {
        let visitor = Endpoint(loop: loop)
        let address = try await visitor.listen { stream in
            visitor.assumeIsolated { $0.adopt(stream) }
        }
        return (address, visitor)
    }

    private func refusal(
        _ trust: ListenerTrust, at address: SocketAddress
    ) async -> ListenerRefusal.Reason? {
        do {
            let stream = try await trust.connect(to: address, timeout: .seconds(5), on: loop)
            loop.execute { stream.close() }
            return nil
        } catch let error as ListenerRefusal {
            #expect(error.address == address)
            return error.reason
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    @Test func `a listener of the own user is believed, and what it is asked about is its socket`()
        async throws
    {
        let (address, _) = try await listen()
        #expect(await refusal(ListenerTrust(), at: address) == nil)
        let seen = Guarded<Set<ListeningSocket>>([])
        let refusing = ListenerTrust { sockets in
            seen.withLock { $0 = sockets }
            return "is not wanted"
        }
        #expect(await refusal(refusing, at: address) == .notItsOwn("is not wanted"))
        let socket = try #require(seen.withLock { $0.first })
        #expect(socket.address == address)
        #expect(socket.user == geteuid())
        #expect(socket.inode > 0)
        loop.stop()
    }

    @Test(.enabled(if: Stranger.isPossible, "root alone can act for another user"))
    func `a stranger's listener is refused, and never sees a connection`() async throws {
        let (address, visitor) = try await listen()
        try Stranger.takesOver(address)
        #expect(
            await refusal(ListenerTrust(remedy: "beware"), at: address)
                == .stranger("uid 54321", remedy: "beware"))
        #expect(await visitor.hasVisitor == false)
        let trusted = TrustedUsers(others: [Stranger.user])
        #expect(await refusal(ListenerTrust(users: trusted), at: address) == nil)
        loop.stop()
    }

    @Test func `the kernel's answer and its table tell the same`() async throws {
        let (address, _) = try await listen()
        let six = try TCPListener(on: #require(SocketAddress("::1", port: 0)), loop: loop)
        defer { six.close() }
        for address in [address, six.address] {
            let asked = ListeningSocket.taking(
                address, among: try ListenerTable.asked(address.family, address.port))
            let read = ListeningSocket.taking(address, among: try SocketTableFile.listening())
            #expect(asked.count == 1)
            #expect(asked == read)
        }
        #expect(try ListenerTable.entries(port: 1).isEmpty)
        loop.stop()
    }

    @Test func `where nobody listens the kernel says so`() async throws {
        let (address, visitor) = try await listen()
        await visitor.stopListening()
        await #expect(throws: SystemError("connecting to \(address)", code: ECONNREFUSED)) {
            try await ListenerTrust().connect(to: address, timeout: .seconds(5), on: loop)
        }
        loop.stop()
    }

    @Test func `only who listened before and after has taken the connection`() {
        func socket(_ inode: UInt64) -> ListeningSocket {
            ListeningSocket(address: .loopback(port: 7), user: 0, inode: inode)
        }
        #expect(ListenerTrust.isSame([socket(1)], [socket(1)]))
        #expect(ListenerTrust.isSame([socket(1), socket(2)], [socket(2), socket(1)]))
        // A stranger may have listened in between, accepted, and gone.
        #expect(!ListenerTrust.isSame([socket(1)], [socket(2)]))
        #expect(!ListenerTrust.isSame([], [socket(1)]))
        #expect(!ListenerTrust.isSame([socket(1)], []))
        #expect(!ListenerTrust.isSame([], []))
        #expect(!ListenerTrust.isSame([socket(1)], [socket(1), socket(2)]))
    }

    @Test func `the user of a connection is found by either end`() async throws {
        let (address, visitor) = try await listen()
        let client = Endpoint(loop: loop)
        try await client.connect(to: address)
        let own = await client.localAddress
        let text = UserDatabase.text(geteuid())
        #expect(ConnectingUser.text(peer: own, own: address) == text)
        #expect(ConnectingUser.text(peer: address, own: own) == text)
        #expect(ConnectingUser.text(peer: address, own: .loopback(port: 1)) == nil)
        _ = visitor
        loop.stop()
    }

    @Test func `what nobody holds says nothing of its user`() throws {
        let peer = SocketAddress.loopback(port: 1)
        let own = SocketAddress.loopback(port: 2)
        var entry = SocketTableEntry(
            local: peer, remote: own, state: .established, user: 0, inode: 5)
        #expect(ConnectingUser.matches(entry, peer: peer, own: own))
        entry.inode = 0
        #expect(!ConnectingUser.matches(entry, peer: peer, own: own))
        entry = SocketTableEntry(local: own, remote: peer, state: .established, user: 0, inode: 5)
        #expect(!ConnectingUser.matches(entry, peer: peer, own: own))
    }

    @Test func `this host's addresses are its interfaces'`() {
        let host = HostAddresses.current()
        #expect(host.contains(.loopback(port: 1)))
        #expect(host.contains(.any(port: 1)))
        // Set aside for documentation: RFC 5737.
        #expect(SocketAddress("192.0.2.1", port: 1).map(host.contains) == false)
    }
}
