import TestKit
import Testing
import Transport

@testable import EPMD

/// EPMD's port is free for everybody: whoever took it must not be believed.
@Suite(
    .timeLimit(.minutes(1)),
    .enabled(if: Stranger.isPossible, "root alone can act for another user"))
struct EPMDTrustTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    /// A daemon that belongs to somebody else, and where `app-1` is said to be.
    private func daemon() async throws -> (EPMDDaemon, SocketAddress, EPMDRegistration) {
        let daemon = EPMDDaemon(loop: loop)
        let address = try #require(try await daemon.start(on: [.loopback(port: 0)]).first)
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "app-1", port: 7), at: address, loop: loop)
        try await registration.register()
        try Stranger.takesOver(address)
        return (daemon, address, registration)
    }

    private func refusal(_ address: SocketAddress) -> ListenerRefusal {
        ListenerRefusal(
            address: address, reason: .stranger("uid 54321", remedy: "stop it, or trust its user"))
    }

    @Test func `a stranger's daemon is not asked`() async throws {
        let (daemon, address, registration) = try await daemon()
        let client = EPMDClient(address: address, loop: loop)
        let error = EPMDError.untrusted(
            attempt: "looking up `app-1` at \(address)", refusal(address))
        await #expect(throws: error) { try await client.lookUp(name: "app-1") }
        #expect(
            error.description
                == "looking up `app-1` at \(address): EPMD at \(address) belongs to uid 54321: "
                + "stop it, or trust its user")
        await #expect(
            throws: EPMDError.untrusted(
                attempt: "looking up `app-1` at \(address)", refusal(address))
        ) { try await client.lookUp(name: "app-1", host: "127.0.0.1") }
        await #expect(throws: EPMDError.self) { try await client.names() }
        let trusting = EPMDClient(
            address: address, loop: loop,
            trust: ListenerTrust(users: TrustedUsers(others: [Stranger.user])))
        #expect(try await trusting.lookUp(name: "app-1").port == 7)
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `nothing is registered with a stranger's daemon`() async throws {
        let (daemon, address, registration) = try await daemon()
        let mine = try EPMDRegistration(
            EPMDNodeInfo(name: "deployex", port: 8), at: address, loop: loop)
        await #expect(
            throws: EPMDError.untrusted(
                attempt: "registering `deployex` with EPMD at \(address)", refusal(address))
        ) { try await mine.register() }
        #expect(await daemon.nodes.map(\.name) == ["app-1"])
        await mine.stop()
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct EPMDAdmissionTests {
    @Test func `a daemon that has begun to listen just now is one to ask again, not a stranger's`()
    {
        let changed = ListenerRefusal(address: .loopback(port: 7), reason: .changed)
        let error = EPMDError(ofFailedConnect: changed, attempt: "asking")
        #expect(error == .unreachable(attempt: "asking", reason: changed.text("EPMD")))
        let stranger = ListenerRefusal(
            address: .loopback(port: 7), reason: .stranger("uid 1", remedy: "beware"))
        #expect(
            EPMDError(ofFailedConnect: stranger, attempt: "asking")
                == .untrusted(attempt: "asking", stranger))
    }

    @Test func `another host's questions are not answered, and told of`() async throws {
        let loop = try EventLoop.onOwnThread()
        let reports = Reports<EPMDDaemon.Event>()
        let ten = try #require(IPNetwork("10.0.0.0/8"))
        // Loopback stands for another host.
        let daemon = EPMDDaemon(loop: loop, peers: .networks([ten])) { reports.append($0) }
        let address = try #require(try await daemon.start(on: [.loopback(port: 0)]).first)
        let client = EPMDClient(address: address, loop: loop)
        await #expect(throws: EPMDError.self) { try await client.names() }
        #expect(
            await reports.first(1) == [
                .refused("a connection from 127.0.0.1, which is another host")
            ])
        await daemon.stop()
        loop.stop()
    }
}
