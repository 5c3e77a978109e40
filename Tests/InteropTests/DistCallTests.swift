import ErlDist
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

/// Calls from here to a real node.
extension DistTests {
    @Suite struct DistCallTests {
        @Test func `a function of a real node is called and its result comes back`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let result = try await node.call(
                peer.name, "lists", "reverse", [[1, 2, 3]], timeout: .seconds(5))
            #expect(result == [3, 2, 1])
            #expect(await node.connectedNodes == [peer.name])
            #expect(try await peer("nodes(hidden)") == "[caller@\(fixture.host)]")
            #expect(try await peer("nodes()") == "[]")
        }

        private static func failure(
            _ node: Node, _ peer: NodeName, _ function: Atom, _ argument: Term
        ) async -> CallError? {
            do throws(CallError) {
                _ = try await node.call(peer, "erlang", function, [argument], timeout: .seconds(5))
                return nil
            } catch {
                return error
            }
        }

        @Test func `exceptions of all classes come back as what they are`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            func failure(_ function: Atom, _ argument: Term) async -> CallError? {
                await Self.failure(node, peer.name, function, argument)
            }
            #expect(
                await failure("throw", .atom("ball"))
                    == .exception(class: .throw, reason: .atom("ball"), stack: []))
            #expect(
                await failure("exit", .tuple([.atom("bye"), 1]))
                    == .exception(class: .exit, reason: .tuple([.atom("bye"), 1]), stack: []))
            guard
                case .exception(.error, .atom("badarg"), let stack) = await failure(
                    "list_to_atom", .atom("no list"))
            else { return #expect(Bool(false), "list_to_atom must fail") }
            #expect(stack.asList?.first?.asTuple?.first == .atom("erlang"))
            guard case .exception(.error, .atom("undef"), _) = await failure("no_such_function", 1)
            else { return #expect(Bool(false), "an unknown function must fail") }
        }

        @Test func `a thousand calls at once share one connection and do not mix their results`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let ups = Guarded(0)
            await node.setEventHandler { event in
                if case .nodeUp = event { ups.withLock { $0 += 1 } }
            }
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let result = try await node.call(
                            peer.name, "erlang", "+", [Term(number), 1], timeout: .seconds(20))
                        return result == Term(number + 1) ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 1000)
            #expect(ups.withLock { $0 } == 1)
        }

        @Test func `calls are not answered in order: a slow one does not hold up a quick one`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let slow = Task {
                try await node.call(
                    peer.name, "timer", "sleep", [.atom(.infinity)], timeout: .seconds(60))
            }
            #expect(
                try await node.call(peer.name, "erlang", "node", [], timeout: .seconds(5))
                    == .atom(peer.name.atom))
            await node.disconnect(from: peer.name)
            await #expect(throws: CallError.connectionLost(.disconnected)) { try await slow.value }
        }

        @Test func `a call that takes too long times out, and its late answer disturbs nothing`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            try await node.connect(to: peer.name)
            await #expect(throws: CallError.timedOut) {
                try await node.call(
                    peer.name, "timer", "sleep", [150], timeout: .milliseconds(50))
            }
            _ = try await node.call(peer.name, "timer", "sleep", [200], timeout: .seconds(5))
            // The monitor of the first call is gone from the peer, or it would count here.
            #expect(await node.connectedNodes == [peer.name])
        }

        @Test func `a node that is killed ends every pending call at once`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let downs = Guarded<[Node.Event]>([])
            await node.setEventHandler { event in
                if case .nodeDown = event { downs.withLock { $0.append(event) } }
            }
            try await node.connect(to: peer.name)
            let calls = (0..<10).map { _ in
                Task {
                    try await node.call(
                        peer.name, "timer", "sleep", [.atom(.infinity)], timeout: .seconds(60))
                }
            }
            // Once this is answered the ten before it are running.
            while try await node.call(
                peer.name, "erlang", "length", [[1]], timeout: .seconds(5)) != 1
            {}
            peer.process.kill()
            for call in calls {
                do {
                    _ = try await call.value
                    Issue.record("a call on a dead node returned")
                } catch let error as CallError {
                    switch error {
                    case .connectionLost: break
                    case .unreachable, .wrongCookie, .refused, .limit, .timedOut, .cancelled,
                        .exception, .badRPC:
                        Issue.record("\(error)")
                    }
                }
            }
            #expect(downs.withLock { $0.count } == 1)
            #expect(await node.connectedNodes.isEmpty)
        }

        /// 100 MB. The node mixes their fragments, so that all are unfinished at the same time.
        @Test func `twenty answers of five megabytes at once all arrive`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let results = await node.multicall(
                Array(repeating: peer.name, count: 20), "binary", "copy",
                [.binary([7]), 5_000_000], timeout: .seconds(60))
            for result in results {
                guard case .success(.binary(let bytes)) = result else {
                    Issue.record("\(result)")
                    continue
                }
                #expect(bytes.count == 5_000_000)
            }
            #expect(await node.connectedNodes == [peer.name])
        }

        @Test(arguments: [true, false])
        func `arguments and results of megabytes travel, in fragments or whole`(fragments: Bool)
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller") {
                if !fragments { $0.flags.remove(.fragments) }
            }
            let bytes = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            let result = try await node.call(
                peer.name, "lists", "duplicate", [2, .binary(bytes)], timeout: .seconds(30))
            #expect(result == [.binary(bytes), .binary(bytes)])
            let md5 = try await node.call(
                peer.name, "erlang", "md5", [.binary(bytes)], timeout: .seconds(30))
            #expect(
                md5
                    == (try await node.call(
                        peer.name, "erlang", "md5", [.binary(bytes)], timeout: .seconds(30))))
        }

        @Test func `many large calls at once mix their fragments without harm`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let bytes = [UInt8](repeating: UInt8(number), count: 300_000 + number)
                        let result = try await node.call(
                            peer.name, "erlang", "list_to_binary",
                            [[.binary(bytes), .binary(bytes)]],
                            timeout: .seconds(30))
                        return result == .binary(bytes + bytes)
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }

        @Test func `what the function prints comes to the caller, and it does not hang`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            let printed = Guarded("")
            func prints(_ module: Atom, _ function: Atom, _ arguments: [Term]) async throws
                -> String
            {
                printed.withLock { $0 = "" }
                let result = try await node.call(
                    peer.name, module, function, arguments, timeout: .seconds(5),
                    output: { text in printed.withLock { $0 += text } })
                #expect(result == .atom(.ok))
                return printed.withLock { $0 }
            }
            #expect(
                try await prints("io", "put_chars", [.charlist("grüß dich\n")]) == "grüß dich\n")
            #expect(try await prints("io", "put_chars", [.binary("λ")]) == "λ")
            #expect(try await prints("io", "nl", []) == "\n")
            #expect(
                try await prints(
                    "io", "format",
                    [.charlist("~s-~ts-~w-~b~n"), [.charlist("a"), .binary("ü"), [104, 105], 7]])
                    == "a-ü-[104,105]-7\n")
            // Without an output it must not hang either.
            #expect(
                try await node.call(
                    peer.name, "io", "put_chars", [.charlist("x")], timeout: .seconds(5))
                    == .atom(.ok))
            #expect(
                try await node.call(
                    peer.name, "io", "get_line", [.charlist("> ")], timeout: .seconds(5))
                    == .atom("eof"))
        }

        @Test(arguments: [true, false])
        func `a cast runs and is waited for by nobody, by a process of its own or by rex`(
            spawns: Bool
        ) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller") {
                if !spawns { $0.flags.remove(.spawn) }
            }
            #expect(try await peer("register(shell, self())") == "true")
            for number in 1...3 {
                try await node.cast(
                    peer.name, "erlang", "send",
                    [.atom("shell"), .tuple([.atom("cast"), Term(number)])])
            }
            // Each is a process of its own there: nothing says that they run in this order.
            let received = "fun() -> receive {cast, N} -> N after 5000 -> none end end"
            #expect(
                try await peer("F = \(received), lists:sort([F(), F(), F()])") == "[1,2,3]")
            // What goes wrong there is told to nobody here, and disturbs nothing.
            try await node.cast(peer.name, "erlang", "error", [.atom("oops")])
            try await node.cast(peer.name, "io", "put_chars", [.charlist("unseen")])
            #expect(
                try await node.call(peer.name, "erlang", "node", [], timeout: .seconds(5))
                    == .atom(peer.name.atom))
            await #expect(throws: CallError.self) {
                try await node.cast(NodeName("nobody@\(fixture.host)"), "erlang", "node", [])
            }
        }

        @Test func `a multicall gives each node's own result in the nodes' order`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            async let starting = fixture.peer("one")
            let two = try await fixture.peer("two")
            let one = try await starting
            let node = try fixture.node("caller")
            let nobody = try NodeName("nobody@\(fixture.host)")
            let results = await node.multicall(
                [two.name, nobody, one.name, two.name], "erlang", "node", [], timeout: .seconds(5))
            try #require(results.count == 4)
            #expect(results[0] == .success(.atom(two.name.atom)))
            guard case .failure(.unreachable) = results[1] else {
                Issue.record("\(results[1])")
                return
            }
            #expect(results[2] == .success(.atom(one.name.atom)))
            #expect(results[3] == results[0])
            let sleeping = await node.multicall(
                [one.name, two.name], "timer", "sleep", [5000], timeout: .milliseconds(50))
            #expect(sleeping == [.failure(.timedOut), .failure(.timedOut)])
            #expect(
                await node.multicall(
                    [one.name], "erlang", "throw", [.atom("ball")], timeout: .seconds(5))
                    == [.failure(.exception(class: .throw, reason: .atom("ball"), stack: []))])
            #expect(await node.multicall([], "erlang", "node", [], timeout: .seconds(5)).isEmpty)
        }

        @Test func `without spawn requests calls go to rex`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller") { $0.flags.remove(.spawn) }
            #expect(
                try await node.call(peer.name, "lists", "seq", [1, 3], timeout: .seconds(5))
                    == [1, 2, 3])
            await #expect(throws: CallError.self) {
                try await node.call(
                    peer.name, "erlang", "error", [.atom("oops")], timeout: .seconds(5))
            }
        }
    }
}
