import Dispatch
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

@testable import ErlDist

/// Peers that want to harm: the node stays within its limits, serves the others, and says once what
/// happened.
@Suite(.timeLimit(.minutes(2)), .serialized) struct HostilePeerTests {
    // MARK: Before the handshake has ended

    @Test(arguments: HostileWay.allCases)
    func `a thousand connections that say nothing keep nobody out`(way: HostileWay) async throws {
        let fixture = try await HostileFixture(way) { $0.connectTimeout = .seconds(100) }
        // Plain ones: who says nothing begins no TLS either.
        var peers: [RawPeer] = []
        for _ in 0..<1000 {
            let peer = RawPeer(loop: fixture.loop)
            try await peer.connect(to: fixture.address)
            peers.append(peer)
        }
        // Each one beyond the limit takes the oldest one's place; connecting is over before that.
        for peer in peers.prefix(1000 - 256) { try await peer.waitForEnd() }
        #expect(await fixture.node.handshakeCount == 256)
        await fixture.expectService()
        // The first of the guest's handshakes took somebody's place, and left it to the second.
        #expect(await fixture.node.handshakeCount == 255)
        let reports = fixture.lines.filter { $0.contains("More than 256 connections") }
        #expect(reports.count == 1 && fixture.lines.count == 1, "\(fixture.lines)")
        await fixture.end()
    }

    @Test(arguments: HostileWay.allCases)
    func `a handshake byte by byte has no more time than any`(way: HostileWay) async throws {
        let fixture = try await HostileFixture(way) { $0.connectTimeout = .milliseconds(500) }
        // The beginning of what a peer says first, over TLS of its ClientHello.
        let bytes: [UInt8] =
            way == .tls ? [22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3] : [0, 200, 78, 0, 0, 0, 0]
        let start = MonotonicTime.now
        let peer = RawPeer(loop: fixture.loop)
        try await peer.connect(to: fixture.address)
        let zeros = [UInt8](repeating: 0, count: 100)
        await peer.drip(bytes + zeros, every: .milliseconds(50))
        try await peer.waitForEnd()
        #expect(start + .milliseconds(400) < .now)
        #expect(await fixture.node.handshakeCount == 0)
        await fixture.expectService()
        #expect(fixture.lines.count == 1, "\(fixture.lines)")
        await fixture.end()
    }

    @Test(arguments: HostileWay.allCases)
    func `a handshake message of 4 GB is refused at its length`(way: HostileWay) async throws {
        let fixture = try await HostileFixture(way)
        let peer = fixture.peer()
        try await peer.connect(to: fixture.address)
        await peer.send([255, 255, 255, 255])
        try await peer.waitForEnd()
        // Who it was is found out meanwhile.
        try await eventually("a line") { !fixture.lines.isEmpty }
        await fixture.expectService()
        #expect(fixture.lines.count == 1)
        #expect(fixture.lines.first?.contains("announced a handshake message") == true)
        await fixture.end()
    }

    @Test func `who is wrong in a hundred ways does not fill the log`() async throws {
        let fixture = try await HostileFixture(.tcp)
        for length in 0..<100 {
            let peer = fixture.peer()
            try await peer.connect(to: fixture.address)
            await peer.send([0xFF, UInt8(length)])
            try await peer.waitForEnd()
        }
        await fixture.settle()
        #expect(fixture.lines.count == ReportBudget.Limits().burstOfSource)
        await fixture.end()
    }

    @Test func `changing the address and what is wrong does not fill the log either`() async throws
    {
        let fixture = try await HostileFixture(.tcp) { $0.reports.summary = .seconds(1) }
        for number in 0..<2000 {
            // From another address of loopback each time, with another length.
            let bytes: [UInt8] = [0xFF, UInt8(number % 256)]
            try connectAndSend(
                bytes, from: [127, 1, UInt8(number / 250), UInt8(1 + number % 250)],
                to: fixture.address)
        }
        try await eventually("the number of lines that were left out") {
            fixture.lines.contains { $0.contains("more lines about peers were left out") }
        }
        #expect(fixture.lines.count <= ReportBudget.Limits().burst + 5, "\(fixture.lines.count)")
        #expect(fixture.lines.reduce(0) { $0 + $1.utf8.count } < 20_000)
        await fixture.end()
    }

    /// What a program of another user of this host does: it chooses its own address, and does not
    /// wait.
    private func connectAndSend(
        _ bytes: [UInt8], from own: [UInt8], to address: SocketAddress
    ) throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard raw >= 0 else { throw RawPeer.Late(what: "a socket") }
        defer { close(raw) }
        func name(_ octets: [UInt8], _ port: UInt16) -> sockaddr_in {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: octets) }
            return name
        }
        func call(
            _ name: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
        ) -> Bool {
            withUnsafePointer(to: name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
        guard call(name(own, 0), { bind(raw, $0, $1) }),
            call(name(address.octets, address.port), { connect(raw, $0, $1) })
        else { throw RawPeer.Late(what: "a connection from \(own)") }
        _ = bytes.withUnsafeBytes { Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    // MARK: All together

    @Test(arguments: HostileWay.allCases)
    func `peers that keep unfinished messages have one limit together`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way) { $0.maximumHeldByteCount = 32 << 20 }
        let before = HostileFixture.residentByteCount
        let part = Self.fragment(1, .max, [UInt8](repeating: 106, count: 1 << 20))
        var peers: [RawPeer] = []
        for number in 0..<12 {
            let peer = try await fixture.peer(as: "hoarder\(number)@localhost")
            await peer.send(part)
            // Each two at least, and one of them most.
            for rest in 1..<(number == 5 ? 6 : 4) {
                await peer.send(
                    Self.continuation(
                        1, .max - UInt64(rest), [UInt8](repeating: 106, count: 1 << 20)))
            }
            peers.append(peer)
        }
        try await eventually("room to be made") {
            await !fixture.ends(of: "hoarder5@localhost").isEmpty
        }
        #expect(await fixture.ends(of: "hoarder5@localhost") == [.madeRoom])
        await fixture.expectService()
        #expect(await fixture.node.heldByteCount <= 32 << 20)
        #expect(fixture.lines.filter { $0.contains("bytes are kept for peers") }.count == 1)
        HostileFixture.expectMemory(since: before, below: 200 << 20)
        await fixture.end()
    }

    private static func continuation(
        _ sequence: UInt64, _ number: UInt64, _ bytes: [UInt8]
    ) -> [UInt8] {
        var frame: [UInt8] = []
        frame.append(bigEndian: UInt32(18 + bytes.count))
        frame += [131, 70]
        frame.append(bigEndian: sequence)
        frame.append(bigEndian: number)
        return frame + bytes
    }

    @Test func `peers that do not read have one limit together`() async throws {
        let fixture = try await HostileFixture(.tcp) { $0.maximumHeldByteCount = 8 << 20 }
        let tag = Term.binary([UInt8](repeating: 0, count: 48 << 10))
        var peers: [RawPeer] = []
        for number in 0..<8 {
            let peer = try await fixture.peer(as: "deaf\(number)@localhost")
            await peer.stopReading()
            peers.append(peer)
        }
        let question = Self.ping(tag)
        try await eventually("room to be made") {
            for peer in peers where await !peer.hasEnded {
                for _ in 0..<8 { await peer.send(question) }
            }
            return fixture.lines.contains { $0.contains("bytes are kept for peers") }
        }
        await fixture.expectService()
        #expect(await fixture.node.heldByteCount <= 8 << 20)
        await fixture.end()
    }

    @Test func `a flood of nodes that know the cookie leaves room for others`() async throws {
        let fixture = try await HostileFixture(.tcp) { $0.maximumAcceptedConnections = 20 }
        let app = try await fixture.peer(as: "app-1@localhost")
        await fixture.node.useAsOwn("app-1@localhost")
        var peers: [RawPeer] = []
        for number in 0..<60 {
            peers.append(try await fixture.peer(as: "flood\(number)@localhost"))
        }
        await fixture.settle()
        #expect(await fixture.node.connectedNodes.count == 21)
        #expect(await fixture.ends(of: "flood0@localhost") == [.madeRoom])
        #expect(await fixture.ends(of: "flood59@localhost").isEmpty)
        #expect(await fixture.ends(of: "app-1@localhost").isEmpty)
        await fixture.expectService()
        #expect(fixture.lines.count <= 2, "\(fixture.lines)")
        await app.close()
        await fixture.end()
    }

    @Test func `what came before the peer ended is handled, however much at once`() async throws {
        let fixture = try await HostileFixture(.tcp)
        let process = await fixture.node.spawnProcess()
        try await process.register("inbox")
        let peer = try await fixture.peer(as: "hasty@localhost")
        var encoder = MessageEncoder(flags: .standard)
        let frame = encoder.encode(
            .registeredSend(from: Self.mine, to: "inbox", message: 1, token: nil))
        await peer.send(Self.repeated(frame, 20_000))
        await peer.finish()
        try await eventually("the end") {
            await !fixture.ends(of: "hasty@localhost").isEmpty
        }
        #expect(await fixture.ends(of: "hasty@localhost") == [.closedByPeer])
        for _ in 0..<20_000 { _ = try await process.receive(timeout: .seconds(5)) }
        await fixture.end()
    }

    @Test func `a long reason, tag or list of arguments does not come back`() async throws {
        let fixture = try await HostileFixture(.tcp)
        await fixture.node.expose(module: "m") { _, _, _ in throw ExposedCallError.undefined }
        let peer = try await fixture.peer(as: "echo@localhost")
        let long = Term.binary([UInt8](repeating: 7, count: 1 << 20))
        var encoder = MessageEncoder(flags: .standard)
        let id = Reference(node: "echo@localhost", creation: 77, words: [1])
        let mine = PID(node: "echo@localhost", id: 5, serial: 0, creation: 77)
        await peer.send(Self.ping(long))
        await peer.send(
            encoder.encode(
                .spawnRequest(
                    SpawnRequest(
                        id: id, from: mine, groupLeader: mine, module: "m",
                        function: "f", arguments: [long], options: [.atom("monitor")],
                        token: nil))))
        var answers: [ControlMessage] = []
        while answers.count < 2 {
            if let message = try await peer.message() { answers.append(message) }
        }
        guard case .spawnReply? = answers.first, case .down(_, _, _, let reason)? = answers.last
        else {
            Issue.record("\(answers)")
            return
        }
        #expect(reason.isShort(maximumByteCount: 100), "\(reason.brief)")
        await fixture.end()
    }

    // MARK: After it

    @Test(arguments: HostileWay.allCases)
    func `a peer that sends single bytes stays connected and is served`(
        way: HostileWay
    ) async throws {
        // The whole message takes longer than the tick time.
        let fixture = try await HostileFixture(way) { $0.tickTime = .seconds(6) }
        let peer = try await fixture.peer(as: "slow@localhost")
        await peer.drip(Self.ping(.atom("tag")), every: .milliseconds(150))
        guard case .send(_, Self.mine, .tuple(let answer), nil)? = try await peer.message() else {
            Issue.record("no answer")
            return
        }
        #expect(answer.last == .atom("yes"))
        #expect(await fixture.ends(of: "slow@localhost").isEmpty)
        await fixture.end()
    }

    @Test(arguments: HostileWay.allCases)
    func `a peer that asks and does not read the answers is given up`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way) { $0.queuedByteCount = 1 << 20 }
        let before = HostileFixture.residentByteCount
        let peer = try await fixture.peer(as: "deaf@localhost")
        await peer.stopReading()
        let tag = Term.binary([UInt8](repeating: 0, count: 16 << 10))
        try await peer.flood(Self.ping(tag)) { await !fixture.ends(of: "deaf@localhost").isEmpty }
        #expect(await fixture.ends(of: "deaf@localhost") == [.queueFull(byteCount: 1 << 20)])
        await fixture.expectService()
        #expect(fixture.lines.count == 1, "\(fixture.lines)")
        HostileFixture.expectMemory(since: before, below: 200 << 20)
        await fixture.end()
    }

    @Test(arguments: HostileWay.allCases)
    func `a flood of messages ends the process that does not receive them, and only it`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way)
        let process = await fixture.node.spawnProcess(mailbox: MailboxCapacity(byteCount: 8 << 20))
        try await process.register("inbox")
        let before = HostileFixture.residentByteCount
        let peer = try await fixture.peer(as: "loud@localhost")
        var encoder = MessageEncoder(flags: .standard)
        let message = Term.binary([UInt8](repeating: 1, count: 1 << 20))
        let frame = encoder.encode(
            .registeredSend(from: Self.mine, to: "inbox", message: message, token: nil))
        // Five times what there is room for.
        for _ in 0..<40 { await peer.send(frame) }
        try await eventually("the end of the process") {
            await process.exitReason != nil
        }
        #expect(await process.exitReason == .atom("message_queue_full"))
        await fixture.expectService()
        HostileFixture.expectMemory(since: before, below: 300 << 20)
        #expect(fixture.lines.count == 1, "\(fixture.lines)")
        await fixture.end()
    }

    @Test func `a flood of calls is refused beyond their bytes`() async throws {
        let fixture = try await HostileFixture(.tcp) {
            $0.maximumIncomingCallByteCount = 4 << 20
        }
        let loop = fixture.loop
        await fixture.node.expose(module: "m") { _, _, _ in
            await loop.sleep(for: .seconds(60))
            return .atom(.ok)
        }
        let peer = try await fixture.peer(as: "loud@localhost")
        var encoder = MessageEncoder(flags: .standard)
        let argument = Term.binary([UInt8](repeating: 1, count: 1 << 20))
        for number: UInt32 in 0..<20 {
            let request = SpawnRequest(
                id: Reference(node: "loud@localhost", creation: 77, words: [number]),
                from: PID(node: "loud@localhost", id: 5, serial: 0, creation: 77),
                groupLeader: Self.mine, module: "m", function: "f", arguments: [argument],
                options: [], token: nil)
            await peer.send(encoder.encode(.spawnRequest(request)))
        }
        var results: [Bool] = []
        while results.count < 20 {
            guard case .spawnReply(let reply)? = try await peer.message() else { continue }
            if case .started = reply.result { results.append(true) } else { results.append(false) }
        }
        // Each has a little more than a megabyte.
        #expect(results == [Bool](repeating: true, count: 3) + [Bool](repeating: false, count: 17))
        await fixture.expectService()
        #expect(fixture.lines.count == 1, "\(fixture.lines)")
        // The connection takes its calls with it, and their bytes.
        await peer.close()
        await fixture.end()
    }

    // MARK: Lengths and depths

    /// A frame of a registered send with these bytes as its payload.
    private static func frame(payload: [UInt8]) -> [UInt8] {
        var encoder = MessageEncoder(flags: .standard)
        var frame = encoder.encode(
            .registeredSend(from: mine, to: "nobody", message: [], token: nil))
        frame.removeLast()
        frame += payload
        let length = UInt32(frame.count - 4)
        for index in 0..<4 { frame[index] = UInt8(truncatingIfNeeded: length >> (24 - index * 8)) }
        return frame
    }

    private static let huge: [UInt8] = [255, 255, 255, 255]

    private static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        Array(repeatElement(bytes, count: count).joined())
    }

    private static let lies: [(String, [UInt8])] = [
        ("a list", [108] + huge), ("a tuple", [105] + huge), ("a map", [116] + huge),
        ("a binary", [109] + huge), ("a bitstring", [77] + huge + [7]), ("a bignum", [111] + huge),
        ("an atom", [118, 255, 255]), ("a string", [107, 255, 255]),
        ("a reference", [90, 255, 255]),
        ("a fun", [112] + huge + [UInt8](repeating: 0, count: 21) + huge),
        ("lists in lists", repeated([108] + huge, 100)),
        ("half a list in half a list", repeated([108, 0, 0, 2, 0], 100)),
        ("a compressed term", [80] + huge),
        ("lists too deep", repeated([108, 0, 0, 0, 1], 1_000_000)),
        ("tuples too deep", repeated([104, 1], 100_000)),
        ("map keys too deep", repeated([116, 0, 0, 0, 1], 100_000)),
    ]

    @Test(arguments: HostileWay.allCases)
    func `what claims more than there is ends its connection and takes no memory`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way)
        let before = HostileFixture.residentByteCount
        for (index, (what, payload)) in Self.lies.enumerated() {
            let peer = try await fixture.peer(as: "liar@localhost")
            await peer.send(Self.frame(payload: payload))
            // The peer sees the end before the node has told of it.
            try await eventually("the end to be told") {
                await fixture.ends(of: "liar@localhost").count == index + 1
            }
            guard case .violation(.invalidTerm)? = await fixture.ends(of: "liar@localhost").last
            else {
                Issue.record("\(what): \(await fixture.ends(of: "liar@localhost"))")
                continue
            }
        }
        #expect(await fixture.ends(of: "liar@localhost").count == Self.lies.count)
        await fixture.expectService()
        HostileFixture.expectMemory(since: before, below: 200 << 20)
        #expect(fixture.lines.count <= 5, "\(fixture.lines)")
        await fixture.end()
    }

    @Test(arguments: HostileWay.allCases)
    func `a hundred peers that announce the longest frame cost nothing before they send it`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way)
        let before = HostileFixture.residentByteCount
        var peers: [RawPeer] = []
        for number in 0..<100 {
            let peer = try await fixture.peer(as: "big\(number)@localhost")
            await peer.send([4, 0, 0, 0, 131, 68, 0, 104])
            peers.append(peer)
        }
        await fixture.expectService()
        HostileFixture.expectMemory(since: before, below: 100 << 20)
        #expect(fixture.lines.isEmpty, "\(fixture.lines)")
        await fixture.end()
    }

    // MARK: Fragments

    private static func fragment(
        _ sequence: UInt64, _ number: UInt64, references: [UInt8] = [0], _ bytes: [UInt8]
    ) -> [UInt8] {
        var frame: [UInt8] = []
        frame.append(bigEndian: UInt32(18 + references.count + bytes.count))
        frame += [131, 69]
        frame.append(bigEndian: sequence)
        frame.append(bigEndian: number)
        return frame + references + bytes
    }

    @Test(arguments: HostileWay.allCases)
    func `one unfinished sequence of fragments too many ends the connection`(
        way: HostileWay
    ) async throws {
        let fixture = try await HostileFixture(way)
        let peer = try await fixture.peer(as: "scattered@localhost")
        for sequence in 0..<1024 {
            await peer.send(Self.fragment(UInt64(sequence), .max, [104]))
        }
        await fixture.expectService()
        #expect(await fixture.ends(of: "scattered@localhost").isEmpty)
        await peer.send(Self.fragment(1024, .max, [104]))
        try await peer.waitForEnd()
        #expect(
            await fixture.ends(of: "scattered@localhost")
                == [.violation(.tooManyFragmentSequences(maximum: 1024))])
        #expect(fixture.lines.count == 1, "\(fixture.lines)")
        await fixture.end()
    }

    // MARK: A message

    static let mine = PID(node: "p@localhost", id: 5, serial: 0, creation: 77)

    /// A frame that asks the node whether it is there, with a tag that is echoed.
    static func ping(_ tag: Term) -> [UInt8] {
        var encoder = MessageEncoder(flags: .standard)
        return encoder.encode(
            .registeredSend(
                from: mine, to: "net_kernel",
                message: .tuple([
                    .atom("$gen_call"), .tuple([.pid(mine), tag]),
                    .tuple([.atom("is_auth"), .atom("p@localhost")]),
                ]), token: nil))
    }

    @Test func `connections that wait for the files of TLS are counted, and have a deadline`()
        async throws
    {
        let disk = DispatchSemaphore(value: 0)
        // The files are gone: the first look says so, and does not come back.
        let world = try await HostileFixture(
            .tls,
            {
                $0.maximumHandshakes = 3
                $0.connectTimeout = .seconds(2)
            }, reportOfFiles: { disk.wait() })
        var peers: [RawPeer] = []
        for _ in 0..<5 {
            let peer = RawPeer(loop: world.loop)
            try await peer.connect(to: world.address)
            peers.append(peer)
        }
        // The oldest make room at once, the others have their time.
        for peer in peers.prefix(2) { try await peer.waitForEnd() }
        for peer in peers.dropFirst(2) { #expect(await !peer.hasEnded) }
        for peer in peers.dropFirst(2) { try await peer.waitForEnd() }
        try await eventually("lines") { world.lines.count >= 2 }
        #expect(world.lines[0].contains("More than 3 connections are in their handshake"))
        #expect(world.lines[1].contains("the files of TLS cannot be looked at in time"))
        disk.signal()
        await world.expectService()
        await world.end()
    }
}

extension Node {
    /// As if this node had called the other one.
    fileprivate func useAsOwn(_ peer: Atom) { peers[peer].map(peers.use) }
}
