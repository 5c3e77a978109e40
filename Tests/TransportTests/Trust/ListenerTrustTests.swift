import Glibc
import TestKit
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
            return .notItsOwn("is not wanted")
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
            let asked = try ListenerTable.asked(address, 9)
            #expect(asked.entries.count == 1)
            #expect(asked.isWhole)
            let read = try ListenerTable.read(address, 9)
            #expect(
                ListeningSocket.taking(address, among: read.entries)
                    == ListeningSocket.taking(address, among: asked.entries))
        }
        let nobody = try ListenerTable.taking(connectionsTo: .loopback(port: 1))
        #expect(nobody == ListenerTable(entries: [], isWhole: true))
        loop.stop()
    }

    /// Sockets that listen on one port of an address: `SO_REUSEPORT` lets a user have any number.
    private func listeners(
        _ count: Int, at address: SocketAddress
    ) throws -> [FileDescriptorHolder] {
        try (0..<count).map { _ in
            let raw = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
            try #require(raw >= 0)
            let holder = FileDescriptorHolder(raw: raw)
            var one: Int32 = 1
            for option in [SO_REUSEADDR, SO_REUSEPORT] {
                try #require(setsockopt(raw, SOL_SOCKET, option, &one, 4) == 0)
            }
            if address.family == AF_INET6 {
                try #require(setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) == 0)
            }
            let isListening = address.withSockAddr { pointer, length in
                bind(raw, pointer, length) == 0 && Glibc.listen(raw, 1) == 0
            }
            try #require(isListening)
            return holder
        }
    }

    private final class FileDescriptorHolder {
        let raw: Int32
        init(raw: Int32) { self.raw = raw }
        deinit { close(raw) }
    }

    @Test
    func `who listens at other addresses of the port does not hide the one that is asked for`()
        async throws
    {
        let wildcard = try TCPListener(on: .any(port: 0), loop: loop)
        defer { wildcard.close() }
        let port = wildcard.address.port
        let others = try ["::1", "::"].map { try #require(SocketAddress($0, port: port)) }
        let held = try others.flatMap { try listeners(5, at: $0) }
        let wanted = SocketAddress.loopback(port: port)
        for table in try [ListenerTable.asked(wanted, 3), ListenerTable.read(wanted, 3)] {
            #expect(table.isWhole)
            #expect(table.entries.map(\.local) == [.any(port: port)])
        }
        // At the same address they are too many.
        for table in try [ListenerTable.asked(others[0], 3), ListenerTable.read(others[0], 3)] {
            #expect(!table.isWhole)
            #expect(table.entries.count >= 3)
        }
        withExtendedLifetime(held) {}
        loop.stop()
    }

    @Test
    func `of too many sockets a stranger's is named, and those of trusted users are too many`() {
        func refusal(_ users: [UInt32], isWhole: Bool) -> ListenerRefusal.Reason? {
            let sockets = users.enumerated().map { index, user in
                ListeningSocket(address: .loopback(port: 7), user: user, inode: UInt64(index + 1))
            }
            return ListenerTrust.refusal(
                of: Set(sockets), isWhole: isWhole, TrustedUsers(), remedy: "beware",
                name: { "user \($0)" })
        }
        #expect(refusal([0, 0], isWhole: true) == nil)
        #expect(refusal([0, 0], isWhole: false) == .tooMany(2))
        #expect(refusal([0, 7], isWhole: false) == .stranger("user 7", remedy: "beware"))
        let reason = ListenerRefusal(address: .loopback(port: 7), reason: .tooMany(2))
        #expect(
            reason.text("EPMD")
                == "EPMD at 127.0.0.1:7 are more than 2 sockets, which is too many to look at")
    }

    @Test func `where nobody listens the kernel says so`() async throws {
        let address = SocketAddress.loopback(port: UInt16(FreePorts.take()))
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
        let ours = try ConnectingSocket.find(peer: own, own: address)
        let theirs = try ConnectingSocket.find(peer: address, own: own)
        for socket in [ours, theirs] {
            #expect(socket?.user == geteuid())
            #expect(socket?.inode ?? 0 > 0)
        }
        #expect(ours != theirs)
        #expect(try ConnectingSocket.find(peer: address, own: .loopback(port: 1)) == nil)
        _ = visitor
        loop.stop()
    }

    @Test(arguments: [(EMFILE, true), (ENFILE, true), (ENOENT, false), (EPROTONOSUPPORT, false)])
    func `a want of descriptors says nothing of who has connected`(code: Int32, isPassing: Bool) {
        #expect(ConnectingSocket.isPassing(SystemError("", code: code)) == isPassing)
    }

    @Test func `what nobody holds says nothing of its user`() throws {
        let peer = SocketAddress.loopback(port: 1)
        let own = SocketAddress.loopback(port: 2)
        var entry = SocketTableEntry(
            local: peer, remote: own, state: .established, user: 0, inode: 5)
        #expect(ConnectingSocket.matches(entry, peer: peer, own: own))
        entry.inode = 0
        #expect(!ConnectingSocket.matches(entry, peer: peer, own: own))
        entry = SocketTableEntry(local: own, remote: peer, state: .established, user: 0, inode: 5)
        #expect(!ConnectingSocket.matches(entry, peer: peer, own: own))
    }

    @Test func `this host's addresses are its interfaces'`() {
        let host = HostAddresses.current()
        #expect(host.contains(.loopback(port: 1)))
        #expect(host.contains(.any(port: 1)))
        // Set aside for documentation: RFC 5737.
        #expect(SocketAddress("192.0.2.1", port: 1).map(host.contains) == false)
    }
}
