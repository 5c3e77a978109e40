import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite struct HolderMachineTests {
    private let http = HeldSocketName(application: "shop", listener: "http")
    private let second = HeldSocketName(application: "shop", listener: "api", number: 2)

    @Test func `a socket is kept, given out by its place, and dropped`() {
        var machine = HolderMachine()
        #expect(
            machine.received(HolderRequest.keep(http).bytes, with: .listeningSocket)
                == [.keepReceived(http), .reply(.done)])
        #expect(
            machine.received(HolderRequest.keep(second).bytes, with: .listeningSocket)
                == [.keepReceived(second), .reply(.done)])
        // In the order of the names.
        #expect(machine.received(HolderRequest.item(0).bytes, with: .nothing) == [.send(second)])
        #expect(machine.received(HolderRequest.item(1).bytes, with: .nothing) == [.send(http)])
        #expect(machine.received(HolderRequest.item(2).bytes, with: .nothing) == [.reply(.noItem)])
        #expect(
            machine.received(HolderRequest.drop(second).bytes, with: .nothing)
                == [.close(second), .reply(.done)])
        #expect(
            machine.received(HolderRequest.drop(second).bytes, with: .nothing) == [.reply(.done)])
        #expect(machine.names == [http])
        #expect(machine.received(HolderRequest.end.bytes, with: .nothing) == [.end])
    }

    @Test func `a socket of the same name takes its place`() {
        var machine = HolderMachine()
        for _ in 0..<2 {
            #expect(
                machine.received(HolderRequest.keep(http).bytes, with: .listeningSocket)
                    == [.keepReceived(http), .reply(.done)])
        }
        #expect(machine.names == [http])
    }

    @Test func `only a listening socket is kept, and nothing else stays open`() {
        var machine = HolderMachine()
        let keep = HolderRequest.keep(http).bytes
        #expect(
            machine.received(keep, with: .nothing) == [.reply(.refused(.noListeningSocket))])
        #expect(
            machine.received(keep, with: .other)
                == [.closeReceived, .reply(.refused(.noListeningSocket))])
        #expect(
            machine.received(HolderRequest.item(0).bytes, with: .listeningSocket)
                == [.closeReceived, .reply(.noItem)])
        #expect(
            machine.received([9, 9, 9], with: .other)
                == [.closeReceived, .reply(.refused(.notUnderstood))])
        #expect(machine == HolderMachine())
    }

    @Test func `it keeps so many and no more`() {
        var machine = HolderMachine()
        for number in 1...HolderMachine.maximumCount {
            let name = HeldSocketName(
                application: "shop", listener: "http", number: InstanceNumber(number))
            _ = machine.received(HolderRequest.keep(name).bytes, with: .listeningSocket)
        }
        #expect(
            machine.received(HolderRequest.keep(http).bytes, with: .listeningSocket)
                == [.closeReceived, .reply(.refused(.tooMany))])
        #expect(machine.names.count == HolderMachine.maximumCount)
    }

    @Test func `messages are their bytes, and their bytes are them`() {
        let requests: [HolderRequest] = [.keep(http), .drop(second), .item(513), .end]
        for request in requests { #expect(HolderRequest(request.bytes) == request) }
        #expect(HolderRequest.item(513).bytes == [1, 3, 2, 1])
        #expect(HolderRequest.keep(second).bytes == [1, 1] + Array("shop/api/2".utf8))
        let replies: [HolderReply] = [.done, .item(http), .noItem, .refused(.tooMany)]
        for reply in replies { #expect(HolderReply(reply.bytes) == reply) }
        for bytes: [UInt8] in [[], [1], [2, 4], [1, 4, 0], [1, 3, 0], [1, 5], [1, 1]] {
            #expect(HolderRequest(bytes) == nil, "\(bytes)")
        }
    }

    @Test func `a name is a name`() {
        for text in ["shop/http", "Shop_2/a_1/17", "a/b/1"] {
            #expect(HeldSocketName(text).map { "\($0)" } == text)
        }
        for text in [
            "", "/", "shop", "shop/", "/http", "shop/HTTP", "shop/http/", "shop/http/0",
            "shop/http/01", "shop/http/-1", "shop/http/1/2", "sh op/http", "shop/../x",
            "shop/http/99999999999999999999", "shop/1http", "\u{e9}/http",
            String(repeating: "a", count: 65) + "/http",
            "shop/" + String(repeating: "a", count: 33),
        ] {
            #expect(HeldSocketName(text) == nil, "\(text)")
        }
    }

    @Test func `whatever bytes come, what is kept is what was allowed`() {
        var random = SeededRandom(seed: 11)
        let seeds: [[UInt8]] = [
            HolderRequest.keep(http).bytes, HolderRequest.drop(second).bytes,
            HolderRequest.item(0).bytes, HolderRequest.end.bytes, [],
        ]
        var machine = HolderMachine()
        var kept: Set<HeldSocketName> = []
        for _ in 0..<5_000 {
            var bytes = random.pick(seeds)
            for _ in 0..<random.below(4) {
                switch random.below(3) {
                case 0 where !bytes.isEmpty:
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                case 1 where !bytes.isEmpty: bytes.remove(at: random.below(bytes.count))
                default:
                    bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count + 1))
                }
            }
            let received = random.pick([
                HolderMachine.Received.nothing, .listeningSocket, .listeningSocket, .other,
            ])
            let actions = machine.received(bytes, with: received)
            // Exactly one answer; what has come is kept or closed.
            let answers = actions.count { action in
                switch action {
                case .reply, .send, .end: true
                case .keepReceived, .closeReceived, .close: false
                }
            }
            #expect(answers == 1)
            var isTaken = false
            for action in actions {
                switch action {
                case .keepReceived(let name):
                    #expect(received == .listeningSocket)
                    isTaken = true
                    kept.insert(name)
                case .closeReceived: isTaken = true
                case .close(let name): #expect(kept.remove(name) != nil)
                case .send(let name): #expect(kept.contains(name))
                case .reply, .end: break
                }
            }
            #expect(isTaken == (received != .nothing))
            #expect(machine.names == kept.sorted())
            _ = HolderReply(bytes)
        }
    }
}

@Suite struct HeldSocketPlanTests {
    private func name(_ text: String) throws -> HeldSocketName {
        try #require(HeldSocketName(text))
    }
    private func address(_ port: UInt16) -> SocketAddress { .loopback(port: port) }

    @Test func `what is still configured is reused, the rest is dropped, and new ones are missing`()
        throws
    {
        let (http, api, old) = (try name("a/http"), try name("a/api"), try name("b/http"))
        let plan = HeldSocketPlan(
            wanted: [http: address(1), api: address(2)],
            found: [http: address(1), old: address(3)])
        #expect(plan.reused == [http: http])
        #expect(plan.missing == [api: address(2)])
        #expect(plan.unwanted == [old])
    }

    @Test func `a changed address is another socket, and a changed name is the same`() throws {
        let (http, web) = (try name("a/http"), try name("a/web"))
        let moved = HeldSocketPlan(wanted: [http: address(2)], found: [http: address(1)])
        #expect(moved.reused == [:])
        #expect(moved.missing == [http: address(2)] && moved.unwanted == [http])
        let renamed = HeldSocketPlan(wanted: [web: address(1)], found: [http: address(1)])
        #expect(renamed.reused == [web: http])
        #expect(renamed.missing == [:] && renamed.unwanted == [http])
    }

    @Test func `two that change places do so`() throws {
        let (http, api) = (try name("a/http"), try name("a/api"))
        let plan = HeldSocketPlan(
            wanted: [http: address(1), api: address(2)],
            found: [http: address(2), api: address(1)])
        #expect(plan.reused == [http: api, api: http])
        #expect(plan.missing == [:] && plan.unwanted == [api, http])
    }

    @Test func `two at one address are one`() throws {
        let (http, api) = (try name("a/http"), try name("a/api"))
        let plan = HeldSocketPlan(
            wanted: [http: address(1)], found: [http: address(1), api: address(1)])
        #expect(plan.reused == [http: http])
        #expect(plan.missing == [:] && plan.unwanted == [api])
    }
}
