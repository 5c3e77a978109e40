import Glibc
import TestKit
import Testing
import Transport

@testable import EPMD

/// Collects what a driver reports. A test waits for it, with a deadline.
final class Reports<Event: Sendable & Equatable>: Sendable {
    private struct State {
        var events: [Event] = []
        var waiter: (count: Int, done: CheckedContinuation<Bool, Never>)?
    }
    private let state = Guarded(State())

    func append(_ event: Event) {
        state.withLock { $0.events.append(event) }
        resumeWaiter(timedOut: false)
    }

    /// The first `count` events, once there are as many.
    func first(_ count: Int) async -> [Event] {
        let deadline = Task {
            try await Task.sleep(for: .seconds(20))
            resumeWaiter(timedOut: true)
        }
        let isMet = await withCheckedContinuation { done in
            state.withLock { $0.waiter = (count, done) }
            resumeWaiter(timedOut: false)
        }
        deadline.cancel()
        let events = state.withLock { $0.events }
        if !isMet { Issue.record("20 s later only this was reported: \(events)") }
        return Array(events.prefix(count))
    }

    private func resumeWaiter(timedOut: Bool) {
        state.withLock { state in
            guard let waiter = state.waiter else { return }
            let isMet = state.events.count >= waiter.count
            guard isMet || timedOut else { return }
            state.waiter = nil
            waiter.done.resume(returning: isMet)
        }
    }
}

/// A raw connection to a daemon, and what came of it.
actor RawClient {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var stream: TCPStream?
    private var received: [UInt8] = []
    private let ends = Reports<StreamEnd>()

    init(loop: EventLoop) { self.loop = loop }

    func connect(to address: SocketAddress) async throws {
        let stream = try await TCPStream.connect(to: address, timeout: .seconds(5), on: loop)
        self.stream = stream
        stream.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes, limit: .max)
                self.assumeIsolated { $0.received += copy }
            },
            end: { self.ends.append($0) })
    }

    func send(_ bytes: [UInt8]) { stream?.send(bytes) }
    func close() { stream?.close() }

    /// Everything that came before the daemon closed the connection.
    func untilClosed() async -> [UInt8] {
        _ = await ends.first(1)
        return received
    }
}

@Suite(.timeLimit(.minutes(1))) struct EPMDDriverTests {
    let loop: EventLoop
    let reports = Reports<EPMDDaemon.Event>()

    init() throws {
        loop = try .onOwnThread()
    }

    private func daemon(
        on address: SocketAddress = .loopback(port: 0), silence: Duration = .seconds(60),
        connectionCount: Int = 1000, relaxed: Bool = false
    ) async throws -> (EPMDDaemon, SocketAddress) {
        var limits = EPMDDaemon.Limits()
        limits.silence = silence
        limits.connectionCount = connectionCount
        let reports = reports
        let daemon = EPMDDaemon(loop: loop, limits: limits, isRelaxed: relaxed) {
            reports.append($0)
        }
        let addresses = try await daemon.start(on: [address])
        return (daemon, try #require(addresses.first))
    }

    @Test func `a client finds what a registration registered, until it stops`() async throws {
        let (daemon, address) = try await daemon()
        let client = EPMDClient(address: address, loop: loop)
        #expect(try await client.names() == [])
        await #expect(throws: EPMDError.notRegistered(name: "a", address: address)) {
            try await client.lookUp(name: "a")
        }
        let node = EPMDNodeInfo(name: "a", port: 7, extra: [1, 2, 3])
        let registration = try EPMDRegistration(node, at: address, loop: loop)
        let creation = try await registration.register()
        #expect(creation > 3)
        #expect(try await registration.register() == creation)
        #expect(await registration.creation == creation)
        #expect(try await client.lookUp(name: "a") == node)
        #expect(try await client.names() == [EPMDName(name: "a", port: 7)])
        let found = try await client.lookUp(name: "a", host: "localhost")
        #expect(found.info == node)
        #expect(found.address == .loopback(port: 7))
        #expect(try await client.kill() == false)
        await registration.stop()
        #expect(
            await reports.first(2) == [.registered(node, creation: creation), .unregistered(node)])
        #expect(try await client.names(host: "127.0.0.1") == [])
        await #expect(throws: EPMDError.self) { try await registration.register() }
        await daemon.stop()
        loop.stop()
    }

    @Test func `this host's daemon is found on loopback whatever the host's name resolves to`()
        async throws
    {
        let (daemon, address) = try await daemon()
        let node = EPMDNodeInfo(name: "a", port: 7)
        let registration = try EPMDRegistration(node, at: address, loop: loop)
        _ = try await registration.register()
        // No resolver takes it for a name.
        let client = EPMDClient(address: address, loop: loop, ownHost: OwnHost(["no such host"]))
        let found = try await client.lookUp(name: "a", host: "no such host")
        #expect(found.info == node)
        #expect(found.address == .loopback(port: 7))
        var addresses = try await client.addresses(name: "a", host: "no such host")
        #expect(try await addresses.next() == .loopback(port: 7))
        #expect(try await addresses.next()?.description == "[::1]:7")
        #expect(try await addresses.next() == nil)
        let other = EPMDClient(address: address, loop: loop)
        await #expect(throws: EPMDError.self) {
            try await other.lookUp(name: "a", host: "no such host")
        }
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `one user's registrations do not blind the daemon`() async throws {
        var limits = EPMDDaemon.Limits()
        (limits.connectionCount, limits.registrationCount) = (40, 30)
        (limits.registrationCountOfUser, limits.registrationCountOfRoot) = (20, 5)
        // In place of /proc/net/tcp: the first connections are those of the one user.
        let user = Guarded<UInt32>(1000)
        let daemon = EPMDDaemon(
            loop: loop, limits: limits,
            userOfPeer: { peer, own in
                peer.isLoopback && own.port != 0 ? user.withLock { $0 } : nil
            })
        let address = try #require(try await daemon.start(on: [.loopback(port: 0)]).first)
        var registrations: [EPMDRegistration] = []
        var refusedCount = 0
        for number in 0..<35 {
            let registration = try EPMDRegistration(
                EPMDNodeInfo(name: "n\(number)", port: 1), at: address, loop: loop)
            do {
                _ = try await registration.register()
                registrations.append(registration)
            } catch {
                refusedCount += 1
            }
        }
        #expect(registrations.count == 20 && refusedCount == 15)
        user.withLock { $0 = 1001 }
        let other = try EPMDRegistration(
            EPMDNodeInfo(name: "other", port: 7), at: address, loop: loop)
        _ = try await other.register()
        let client = EPMDClient(address: address, loop: loop)
        #expect(try await client.lookUp(name: "other").port == 7)
        #expect(try await client.names().count == 21)
        for registration in registrations + [other] { await registration.stop() }
        await daemon.stop()
        loop.stop()
    }

    @Test func `a name in use is refused with a clear error, and free again afterwards`()
        async throws
    {
        let (daemon, address) = try await daemon()
        let first = try EPMDRegistration(EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop)
        let second = try EPMDRegistration(EPMDNodeInfo(name: "a", port: 2), at: address, loop: loop)
        try await first.register()
        await #expect(throws: EPMDError.duplicateName(name: "a", address: address)) {
            try await second.register()
        }
        await first.stop()
        _ = await reports.first(3)
        try await second.register()
        #expect(await daemon.nodes.map(\.port) == [2])
        await second.stop()
        await daemon.stop()
        loop.stop()
    }

    /// An address that no other test gets while nobody listens there.
    private var heldAddress: SocketAddress { .loopback(port: UInt16(FreePorts.take())) }

    @Test func `when the daemon comes back the node is registered again, with another creation`()
        async throws
    {
        let (first, address) = try await daemon(on: heldAddress)
        let events = Reports<EPMDRegistration.Event>()
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop,
            retryDelay: .milliseconds(5)
        ) { events.append($0) }
        let creation = try await registration.register()
        await first.stop()
        // Registered, lost, and at least two attempts that failed.
        let beginning = await events.first(4)
        #expect(
            beginning == [
                .registered(creation: creation),
                .lost(
                    .unreachable(
                        attempt: "holding the registration of `a` with EPMD at \(address)",
                        reason: "the peer closed the connection")),
                .failed(
                    .unreachable(
                        attempt: "registering `a` with EPMD at \(address)",
                        reason: "connection refused")),
                .failed(
                    .unreachable(
                        attempt: "registering `a` with EPMD at \(address)",
                        reason: "connection refused")),
            ])
        #expect(await registration.creation == nil)
        let (second, _) = try await daemon(on: address)
        guard case .registered(_, let again) = await reports.first(2).last else {
            Issue.record("The second daemon reports the registration")
            return
        }
        #expect(again != creation)
        #expect(try await registration.register() == again)
        await registration.stop()
        await second.stop()
        loop.stop()
    }

    @Test func `start goes on until a daemon listens`() async throws {
        let (placeholder, address) = try await daemon(on: heldAddress)
        await placeholder.stop()
        let events = Reports<EPMDRegistration.Event>()
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop,
            retryDelay: .milliseconds(5)
        ) { events.append($0) }
        await registration.start()
        _ = await events.first(2)
        let (daemon, _) = try await daemon(on: address)
        _ = await reports.first(1)
        #expect(await daemon.nodes.map(\.name) == ["a"])
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `errors name what was asked, of whom, and the reason`() async throws {
        let (daemon, address) = try await daemon(on: heldAddress)
        await daemon.stop()
        let client = EPMDClient(address: address, loop: loop)
        await #expect(
            throws: EPMDError.unreachable(
                attempt: "looking up `app-1` at \(address)", reason: "connection refused")
        ) { try await client.lookUp(name: "app-1") }
        await #expect(
            throws: EPMDError.badRequest(attempt: "looking up `` at \(address)", .invalidName)
        ) { try await client.lookUp(name: "") }
        await #expect(throws: EPMDError.self) { try await client.names(host: "no such host") }
        loop.stop()
    }

    @Test func `a daemon that never answers is given up after the timeout`() async throws {
        let silent = SilentServer(loop: loop)
        let address = try await silent.listen()
        let client = EPMDClient(address: address, loop: loop, timeout: .milliseconds(30))
        await #expect(
            throws: EPMDError.timedOut(
                attempt: "listing the names at \(address)", after: .milliseconds(30))
        ) { try await client.names() }
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop, timeout: .milliseconds(30))
        await #expect(
            throws: EPMDError.timedOut(
                attempt: "registering `a` with EPMD at \(address)", after: .milliseconds(30))
        ) { try await registration.register() }
        let patient = EPMDClient(address: address, loop: loop, timeout: .seconds(3600))
        let task = Task { try await patient.names() }
        task.cancel()
        await #expect(throws: EPMDError.stopped(attempt: "listing the names at \(address)")) {
            try await task.value
        }
        await silent.close()
        loop.stop()
    }

    @Test func `KILL ends the daemon after its answer`() async throws {
        let (daemon, address) = try await daemon()
        #expect(try await EPMDClient(address: address, loop: loop).kill())
        await daemon.waitUntilStopped()
        #expect(await reports.first(1) == [.killed])
        loop.stop()
    }

    @Test func `a relaxed daemon ends one registration on request`() async throws {
        let (daemon, address) = try await daemon(relaxed: true)
        let client = EPMDClient(address: address, loop: loop)
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop, retryDelay: .seconds(3600))
        try await registration.register()
        #expect(try await client.stop(name: "a"))
        #expect(try await client.stop(name: "a") == false)
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `a connection that says nothing, or half of something, is closed`() async throws {
        let (daemon, address) = try await daemon(silence: .milliseconds(30))
        let silent = RawClient(loop: loop)
        let half = RawClient(loop: loop)
        try await silent.connect(to: address)
        try await half.connect(to: address)
        await half.send([0, 5, 122])
        #expect(await silent.untilClosed() == [])
        #expect(await half.untilClosed() == [])
        await daemon.stop()
        loop.stop()
    }

    @Test func `a registration outlives the time for silence`() async throws {
        let (daemon, address) = try await daemon(silence: .seconds(1))
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop)
        try await registration.register()
        // A connection opened later is closed for its silence: the registration's time was over
        // before.
        let silent = RawClient(loop: loop)
        try await silent.connect(to: address)
        _ = await silent.untilClosed()
        #expect(await daemon.nodes.map(\.name) == ["a"])
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `a flood of connections and of bytes leaves the daemon answering`() async throws {
        let (daemon, address) = try await daemon(connectionCount: 20)
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: "a", port: 1), at: address, loop: loop)
        try await registration.register()
        var clients: [RawClient] = []
        for _ in 0..<100 {
            let client = RawClient(loop: loop)
            try await client.connect(to: address)
            clients.append(client)
        }
        #expect(await clients[0].untilClosed() == [])
        let flood = RawClient(loop: loop)
        try await flood.connect(to: address)
        await flood.send([UInt8](repeating: 0xFF, count: 10 << 20))
        #expect(await flood.untilClosed() == [])
        let client = EPMDClient(address: address, loop: loop)
        #expect(try await client.lookUp(name: "a").port == 1)
        for client in clients { await client.close() }
        await registration.stop()
        await daemon.stop()
        loop.stop()
    }

    @Test func `a peer is local on loopback, or when it comes from the address it goes to`() throws
    {
        func isLocal(_ peer: String, _ own: String) throws -> Bool {
            AdmittedPeers.isOfThisHost(
                try #require(SocketAddress(peer, port: 1)),
                to: try #require(SocketAddress(own, port: 2)))
        }
        #expect(try isLocal("127.0.0.1", "127.0.0.1"))
        #expect(try isLocal("127.1.2.3", "10.0.0.1"))
        #expect(try isLocal("10.0.0.1", "10.0.0.1"))
        #expect(try isLocal("::1", "::1"))
        #expect(try !isLocal("10.0.0.2", "10.0.0.1"))
        #expect(try !isLocal("0.0.0.0", "0.0.0.0"))
    }
}

/// Accepts connections and says nothing.
actor SilentServer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var listener: TCPListener?
    private var streams: [TCPStream] = []

    init(loop: EventLoop) { self.loop = loop }

    func listen() throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in self.assumeIsolated { $0.streams.append(stream) } }
        self.listener = listener
        return listener.address
    }

    func close() {
        listener?.close()
        for stream in streams { stream.close() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct LookingUpTests {
    @Test func `however many register at once, all are looked up in the end`() async throws {
        let loop = try EventLoop.onOwnThread()
        let daemon = EPMDDaemon(
            loop: loop,
            userOfPeer: { _, _ in
                usleep(1000)
                return 1000
            })
        let address = try #require(try await daemon.start(on: [.loopback(port: 0)]).first)
        let registrations = try (0..<100).map { number in
            try EPMDRegistration(
                EPMDNodeInfo(name: "n\(number)", port: 1), at: address, loop: loop,
                timeout: .seconds(50))
        }
        try await withThrowingTaskGroup { group in
            for registration in registrations {
                group.addTask { _ = try await registration.register() }
            }
            try await group.waitForAll()
        }
        #expect(await daemon.nodes.count == 100)
        for registration in registrations { await registration.stop() }
        await daemon.stop()
        loop.stop()
    }
}
