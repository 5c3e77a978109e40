import TestKit
import Testing
import Transport

@testable import EPMD

@Suite struct DaemonMachineTests {
    private let node = EPMDNodeInfo(name: "a", port: 0x1234)

    private func machine(limit: Int = 10, relaxed: Bool = false) -> DaemonMachine {
        DaemonMachine(
            port: 4369, connectionLimit: limit, isRelaxed: relaxed, firstCreation: 0x0102_0304)
    }

    /// Opens connection `id` and sends it `request`.
    private func ask(
        _ machine: inout DaemonMachine, _ id: UInt64, _ request: EPMDRequest, local: Bool = true
    ) throws -> [DaemonMachine.Action] {
        #expect(machine.connectionOpened(id, isLocal: local) == [])
        return machine.received(try request.encoded(), from: id)
    }

    @Test func `a node registers, is found and listed, and is gone with its connection`() throws {
        var machine = machine()
        #expect(
            try ask(&machine, 1, .alive(node)) == [
                .send([118, 0, 1, 2, 3, 4], to: 1),
                .report(.registered(node, creation: 0x0102_0304)),
            ])
        #expect(
            try ask(&machine, 2, .portPlease(name: "a")) == [
                .send([119, 0, 0x12, 0x34, 72, 0, 0, 6, 0, 5, 0, 1, 97, 0, 0], to: 2),
                .closeAfterSending(2),
            ])
        #expect(machine.drained(2) == [.close(2)])
        #expect(
            try ask(&machine, 3, .names) == [
                .send([0, 0, 0x11, 0x11] + Array("name a at port 4660\n".utf8), to: 3),
                .closeAfterSending(3),
            ])
        #expect(
            try ask(&machine, 4, .dump) == [
                .send(
                    [0, 0, 0x11, 0x11]
                        + Array("active name     <a> at port 4660, fd = 1\n\0".utf8), to: 4),
                .closeAfterSending(4),
            ])
        #expect(machine.connectionClosed(1) == [.report(.unregistered(node))])
        #expect(
            try ask(&machine, 5, .portPlease(name: "a")) == [
                .send([119, 1], to: 5), .closeAfterSending(5),
            ])
    }

    @Test func `a name in use is refused, and the first registration stays`() throws {
        var machine = machine()
        _ = try ask(&machine, 1, .alive(node))
        #expect(
            try ask(&machine, 2, .alive(node)) == [
                .report(.refused("`a`: the name is already in use")),
                .send([118, 1, 0, 0, 0, 99], to: 2), .closeAfterSending(2),
            ])
        #expect(machine.connectionClosed(2) == [])
        #expect(machine.registry.lookUp("a")?.connection == 1)
    }

    @Test func `an old node gets the short answer`() throws {
        var machine = machine()
        var old = node
        old.highestVersion = 5
        #expect(try ask(&machine, 1, .alive(old)).first == .send([121, 0, 0, 2], to: 1))
    }

    @Test(arguments: [
        EPMDRequest.alive(EPMDNodeInfo(name: "a", port: 1)), .dump, .kill, .stop(name: "a"),
    ])
    func `another host may only ask for names`(request: EPMDRequest) throws {
        var machine = machine(relaxed: true)
        let actions = try ask(&machine, 1, request, local: false)
        #expect(actions.first == .close(1))
        #expect(actions.count == 2)
        #expect(machine.registry.isEmpty)
        #expect(
            try ask(&machine, 2, .portPlease(name: "a"), local: false).last
                == .closeAfterSending(2))
        #expect(try ask(&machine, 3, .names, local: false).last == .closeAfterSending(3))
    }

    @Test func `KILL ends the daemon when nothing is registered, or when relaxed`() throws {
        let killed: [DaemonMachine.Action] = [.send(Array("OK".utf8), to: 2), .end(after: 2)]
        var empty = machine()
        #expect(try ask(&empty, 2, .kill) == killed)
        var busy = machine()
        _ = try ask(&busy, 1, .alive(node))
        #expect(
            try ask(&busy, 2, .kill) == [.send(Array("NO".utf8), to: 2), .closeAfterSending(2)])
        var relaxed = machine(relaxed: true)
        _ = try ask(&relaxed, 1, .alive(node))
        #expect(try ask(&relaxed, 2, .kill) == killed)
    }

    @Test func `STOP ends a registration when relaxed, and is not answered otherwise`() throws {
        var strict = machine()
        _ = try ask(&strict, 1, .alive(node))
        #expect(
            try ask(&strict, 2, .stop(name: "a")) == [
                .close(2), .report(.refused("STOP, not relaxed")),
            ])
        var relaxed = machine(relaxed: true)
        _ = try ask(&relaxed, 1, .alive(node))
        #expect(
            try ask(&relaxed, 2, .stop(name: "a")) == [
                .close(1), .report(.unregistered(node)),
                .send(Array("STOPPED".utf8), to: 2), .closeAfterSending(2),
            ])
        #expect(
            try ask(&relaxed, 3, .stop(name: "a")) == [
                .send(Array("NOEXIST".utf8), to: 3), .closeAfterSending(3),
            ])
    }

    @Test func `bytes after a registration end it`() throws {
        var machine = machine()
        _ = try ask(&machine, 1, .alive(node))
        #expect(
            machine.received([0], from: 1) == [
                .close(1), .report(.refused("bytes after a registration")),
                .report(.unregistered(node)),
            ])
        #expect(machine.connectionCount == 0)
    }

    @Test func `silence ends a connection, but not a registration`() throws {
        var machine = machine()
        _ = machine.connectionOpened(1, isLocal: true)
        _ = machine.received([0], from: 1)
        #expect(machine.timedOut(1) == [.close(1)])
        _ = try ask(&machine, 2, .alive(node))
        #expect(machine.timedOut(2) == [])
        _ = try ask(&machine, 3, .names)
        #expect(machine.timedOut(3) == [.close(3)])
        #expect(machine.timedOut(3) == [])
        #expect(machine.connectionCount == 1)
    }

    @Test func `too many connections: the oldest silent one makes room, a registration never does`()
        throws
    {
        var machine = machine(limit: 3)
        _ = try ask(&machine, 1, .alive(node))
        _ = machine.connectionOpened(2, isLocal: true)
        _ = machine.connectionOpened(3, isLocal: true)
        #expect(machine.connectionOpened(4, isLocal: true) == [.close(2)])
        #expect(machine.received([0, 1, 110], from: 2) == [])
        for id in UInt64(5)...6 {
            let other = EPMDNodeInfo(name: "\(id)", port: 1)
            _ = machine.connectionOpened(id, isLocal: true)
            _ = machine.received(try EPMDRequest.alive(other).encoded(), from: id)
        }
        #expect(machine.connectionOpened(7, isLocal: true) == [.close(7)])
        #expect(machine.registry.count == 3)
        #expect(machine.connectionCount == 3)
    }

    private func identifying(_ limits: RegistrationShare.Limits) -> DaemonMachine {
        DaemonMachine(
            port: 4369, connectionLimit: 1000, isRelaxed: false, firstCreation: 4,
            registrations: limits, identifiesUsers: true)
    }

    /// Registers a node of that user on connection `id`.
    private func register(
        _ machine: inout DaemonMachine, _ id: UInt64, _ user: UInt32?
    ) throws -> Bool {
        let node = EPMDNodeInfo(name: "n\(id)", port: 1)
        #expect(try ask(&machine, id, .alive(node)) == [.identify(id)])
        let actions = machine.identified(id, user: .success(user))
        return actions.contains { action in
            if case .report(.registered) = action { true } else { false }
        }
    }

    @Test func `one user's registrations leave room for others, and all of them for questions`()
        throws
    {
        var machine = identifying(.init(count: 900, countOfUser: 300, countOfRoot: 100))
        var counts: [UInt32: Int] = [:]
        var next: UInt64 = 1
        for user: UInt32 in [1000, 1001, 1002, 0] {
            for _ in 0..<950 {
                if try register(&machine, next, user) { counts[user, default: 0] += 1 }
                _ = machine.drained(next)
                next += 1
            }
        }
        #expect(counts == [1000: 300, 1001: 300, 1002: 200, 0: 100])
        #expect(machine.connectionCount == 900)
        // Everybody is still answered.
        #expect(try ask(&machine, next, .names).last == .closeAfterSending(next))
        #expect(
            try ask(&machine, next + 1, .portPlease(name: "n1")).last
                == .closeAfterSending(next + 1))
        // A place that becomes free is the user's own.
        _ = machine.connectionClosed(1)
        #expect(try !register(&machine, next + 2, 1001))
        #expect(try register(&machine, next + 3, 1000))
    }

    @Test func `those whose user is not known count as one`() throws {
        var machine = identifying(.init(count: 9, countOfUser: 2, countOfRoot: 1))
        #expect(try register(&machine, 1, nil))
        #expect(try register(&machine, 2, nil))
        #expect(try !register(&machine, 3, nil))
        #expect(try register(&machine, 4, 1000))
    }

    @Test
    func `a connection that ends, or goes on talking, before its user is known registers nothing`()
        throws
    {
        var machine = identifying(.init(count: 9, countOfUser: 2, countOfRoot: 1))
        #expect(try ask(&machine, 1, .alive(node)) == [.identify(1)])
        #expect(machine.connectionClosed(1) == [])
        #expect(machine.identified(1, user: .success(1000)) == [])
        #expect(try ask(&machine, 2, .alive(node)) == [.identify(2)])
        #expect(machine.received([0], from: 2).first == .close(2))
        #expect(machine.identified(2, user: .success(1000)) == [])
        #expect(try ask(&machine, 3, .alive(node)) == [.identify(3)])
        #expect(machine.timedOut(3) == [.close(3)])
        #expect(machine.registry.isEmpty && machine.connectionCount == 0)
    }

    @Test func `garbage closes its connection and says why`() {
        var machine = machine()
        _ = machine.connectionOpened(1, isLocal: true)
        #expect(
            machine.received(Array("GET / HTTP/1.1\r\n".utf8), from: 1) == [
                .close(1), .report(.refused("a request or field of 18245 bytes is too long")),
            ])
        #expect(machine.received([1], from: 1) == [])
    }

    @Test func `any sequence of events keeps connections and registrations together`() throws {
        var random = SeededRandom(seed: 3)
        var machine = machine(limit: 6, relaxed: true)
        var next: UInt64 = 1
        for _ in 0..<30_000 {
            let id = UInt64.random(in: (next > 8 ? next - 8 : 0)...next, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                _ = machine.connectionOpened(next, isLocal: .random(using: &random))
                next += 1
            case 1: _ = machine.connectionClosed(id)
            case 2: _ = machine.timedOut(id)
            case 3: _ = machine.drained(id)
            default:
                var bytes = requestTable.randomElement(using: &random)?.1 ?? []
                if Bool.random(using: &random) { bytes.mutate(using: &random) }
                _ = machine.received(bytes, from: id)
            }
            #expect(machine.connectionCount <= 6)
            #expect(machine.registry.count <= machine.connectionCount)
        }
    }

    @Test func `a node whose user cannot be found out just now is refused, and is nobody's share`()
        throws
    {
        var machine = identifying(.init(count: 9, countOfUser: 1, countOfRoot: 1))
        let error = SystemError("looking up who has connected", code: 24)
        for id: UInt64 in 1...3 {
            #expect(try ask(&machine, id, .alive(node)) == [.identify(id)])
            #expect(
                machine.identified(id, user: .failure(error)) == [
                    .report(
                        .refused("`a`: looking up who has connected: too many open files")),
                    .send([118, 1, 0, 0, 0, 99], to: id), .closeAfterSending(id),
                ])
        }
        // It asks again, and is registered.
        #expect(try ask(&machine, 4, .alive(node)) == [.identify(4)])
        #expect(machine.identified(4, user: .success(nil)).count == 2)
        #expect(machine.identified(4, user: .failure(error)) == [])
    }
}

@Suite struct LookUpQueueTests {
    @Test func `a few are looked up at once, the others in the order in which they came`() {
        var queue = LookUpQueue<Int>(limit: 2)
        let atOnce = (1...1000).filter { queue.add($0) }
        #expect(atOnce == [1, 2])
        let later = (0..<998).map { _ in queue.next() }
        #expect(later == (3...1000).map { $0 })
        // The first of two has nobody to look up instead.
        let (first, isThirdAtOnce, isFourthAtOnce) = (
            queue.next(), queue.add(1001), queue.add(1002)
        )
        #expect(first == nil && isThirdAtOnce && !isFourthAtOnce)
        let ends = [queue.next(), queue.next(), queue.next()]
        #expect(ends == [1002, nil, nil])
    }
}
