import EPMD
import ErlDist
import ExternalTermFormat
import Synchronization
import Testing
import Transport

/// Calls, monitors and links from a real node to one of ours.
extension DistTests {
    @Suite struct DistServeTests {
        /// A node of ours that exposes a module, and a real one.
        private struct World {
            let fixture: DistFixture
            let node: Node
            let here: String
            let registration: EPMDRegistration
            let peer: DistPeer

            init(_ change: DistFixture.Change = { _ in }) async throws {
                fixture = try await DistFixture()
                let (node, name, registration) = try await fixture.listeningNode(
                    "deployex", change)
                self.node = node
                self.registration = registration
                here = "'\(name)'"
                let loop = fixture.loop
                await node.expose(module: "swift") { function, arguments, caller in
                    switch (function.name, arguments.count) {
                    case ("echo", 1): return arguments[0]
                    case ("caller", 0): return .pid(caller.pid)
                    case ("size", 1): return Term(arguments[0].asBinary?.count ?? -1)
                    case ("throw", 1):
                        throw ExposedCallError.exception(class: .throw, reason: arguments[0])
                    case ("exit", 1):
                        throw ExposedCallError.exception(class: .exit, reason: arguments[0])
                    case ("error", 1):
                        throw ExposedCallError.exception(class: .error, reason: arguments[0])
                    case ("sleep", 1):
                        await loop.sleep(for: .milliseconds(arguments[0].asInteger ?? 0))
                        return .atom(.ok)
                    case (_, _): throw ExposedCallError.undefined
                    }
                }
                peer = try await fixture.peer("peer")
            }

            func end() { fixture.end() }
        }

        @Test func `it answers pings and is a hidden node to the others`() async throws {
            let world = try await World()
            defer { world.end() }
            #expect(try await world.peer("net_adm:ping(\(world.here))") == "pong")
            #expect(try await world.peer("lists:member(\(world.here), nodes(hidden))") == "true")
            #expect(try await world.peer("nodes()") == "[]")
        }

        @Test func `rpc calls are answered with results and exceptions`() async throws {
            let world = try await World()
            defer { world.end() }
            func rpc(_ rest: String) async throws -> String {
                try await world.peer("rpc:call(\(world.here), swift, \(rest))")
            }
            #expect(
                try await rpc("echo, [#{a => [1,2.5,<<\"x\">>]}]") == "#{a => [1,2.5,<<\"x\">>]}")
            #expect(try await rpc("throw, [ball]") == "ball")
            #expect(try await rpc("exit, [bye]") == "{badrpc,{'EXIT',bye}}")
            #expect(
                try await rpc("error, [oops]")
                    == "{badrpc,{'EXIT',{oops,[{swift,error,1,[]}]}}}")
            #expect(
                try await rpc("nothing, [1,2]")
                    == "{badrpc,{'EXIT',{undef,[{swift,nothing,[1,2],[]}]}}}")
            #expect(
                try await world.peer("rpc:call(\(world.here), nomodule, f, [])")
                    == "{badrpc,{'EXIT',{undef,[{nomodule,f,[],[]}]}}}")
            #expect(try await rpc("sleep, [10000], 50") == "{badrpc,timeout}")
        }

        @Test func `erpc calls, casts and multicalls are answered`() async throws {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            #expect(try await world.peer("erpc:call(\(here), swift, echo, [hello])") == "hello")
            #expect(
                try await world.peer("erpc:call(\(here), swift, throw, [ball])") == "{throw,ball}")
            #expect(
                try await world.peer("erpc:call(\(here), swift, exit, [bye])")
                    == "{exit,{exception,bye}}")
            #expect(
                try await world.peer("erpc:call(\(here), swift, error, [oops])")
                    == "{error,{exception,oops,[{swift,error,1,[]}]}}")
            #expect(
                try await world.peer("erpc:multicall([\(here),node()], erlang, hd, [[1]])")
                    .contains("undef"))
            #expect(
                try await world.peer("erpc:multicall([\(here),\(here)], swift, echo, [7])")
                    == "[{ok,7},{ok,7}]")
            #expect(try await world.peer("erpc:cast(\(here), swift, echo, [7])") == "ok")
            #expect(
                try await world.peer("erpc:call(\(here), swift, caller, []) =:= self()") == "true")
            #expect(
                try await world.peer("erpc:call(\(here), fun() -> 1 end)").contains("undef"))
        }

        @Test func `the older way through rex is answered`() async throws {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            #expect(
                try await world.peer(
                    "gen_server:call({rex,\(here)}, {call,swift,echo,[hello],group_leader()})")
                    == "hello")
            #expect(
                try await world.peer(
                    "{rex,\(here)} ! {self(),{call,swift,echo,[hello],user}},"
                        + " receive {rex,R} -> R after 5000 -> none end") == "hello")
        }

        @Test func `the other functions of rpc are answered as well`() async throws {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            #expect(
                try await world.peer("rpc:multicall([\(here)], swift, echo, [7])") == "{[7],[]}")
            #expect(try await world.peer("rpc:block_call(\(here), swift, echo, [7])") == "7")
            #expect(
                try await world.peer("rpc:yield(rpc:async_call(\(here), swift, echo, [7]))")
                    == "7")
            #expect(try await world.peer("rpc:cast(\(here), swift, echo, [7])") == "true")
        }

        /// `#rec:point{x = 1, y = a}`, whose module the peer need not have.
        @Test(arguments: [false, true])
        func `native records of OTP 29 come and go unchanged, in a cache of atoms as well`(
            cached: Bool
        ) async throws {
            guard try await OTPRelease.number.value >= 29 else { return }
            let world = try await World { if cached { $0.flags.insert(.headerAtomCache) } }
            defer { world.end() }
            let record =
                "R = binary_to_term(<<131,67,2:32,1,119,3,\"rec\",119,5,\"point\",119,1,\"x\",119,1,\"y\","
                + "97,1,119,1,\"a\">>)"
            #expect(
                try await world.peer(
                    "\(record), {erpc:call(\(world.here), swift, echo, [#{r => [R]}]) =:= #{r => [R]}, R}"
                )
                    == "{true,#rec:point{x = 1,y = a}}")
            let sent = try await world.node.call(
                world.peer.name, "erlang", "binary_to_term",
                [.binary([131, 67, 0, 0, 0, 1, 1, 119, 1, 109, 119, 1, 114, 119, 1, 107, 97, 7])],
                timeout: .seconds(5))
            #expect(sent == .record(Record(module: "m", name: "r", keys: ["k"], values: [7])))
            #expect(sent.asRecord?["k"] == 7)
        }

        @Test func `large arguments and results travel`() async throws {
            let world = try await World()
            defer { world.end() }
            #expect(
                try await world.peer(
                    "B = rand:bytes(2000000), B =:= erpc:call(\(world.here), swift, echo, [B])")
                    == "true")
            #expect(
                try await world.peer(
                    "L = lists:seq(1,300000), L =:= rpc:call(\(world.here), swift, echo, [L])")
                    == "true")
        }

        @Test func `hundreds of calls at once are answered, and too many are refused`() async throws
        {
            let world = try await World { $0.maximumIncomingCalls = 500 }
            defer { world.end() }
            let here = world.here
            #expect(
                try await world.peer(
                    "Rs = [erpc:send_request(\(here), swift, echo, [N]) || N <- lists:seq(1,500)],"
                        + " [erpc:receive_response(R) || R <- Rs] =:= lists:seq(1,500)") == "true")
            #expect(
                try await world.peer(
                    "Qs = [erpc:send_request(\(here), swift, sleep, [1000]) || _ <- lists:seq(1,501)],"
                        + " lists:usort([catch erpc:receive_response(Q) || Q <- Qs])"
                )
                .contains("system_limit"))
            #expect(try await world.peer("erpc:call(\(here), swift, echo, [1])") == "1")
        }

        @Test func `monitors of what does not live fire at once, by the name that was given`()
            async throws
        {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            #expect(
                try await world.peer(
                    "R = monitor(process, {nobody,\(here)}), receive {'DOWN',R,_,P,W} -> {P,W}"
                        + " after 5000 -> none end")
                    == "{{nobody,deployex@\(world.fixture.host)},noproc}")
            #expect(
                try await world.peer(
                    "P0 = spawn(\(here), swift, echo, [1]), timer:sleep(100),"
                        + " Q = monitor(process, P0),"
                        + " receive {'DOWN',Q,_,P0,X} -> X after 5000 -> none end") == "noproc")
            #expect(
                try await world.peer(
                    "R1 = monitor(process, {net_kernel,\(here)}),"
                        + " receive {'DOWN',R1,_,_,W1} -> W1 after 200 -> alive end,"
                        + " demonitor(R1)") == "true")
        }

        @Test func `links and exits reach a process that runs here`() async throws {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            // A spawned process that ends normally, watched from the start.
            #expect(
                try await world.peer(
                    "{P1,M1} = spawn_monitor(\(here), swift, sleep, [20]),"
                        + " receive {'DOWN',M1,_,P1,X1} -> X1 after 5000 -> none end") == "normal")
            #expect(
                try await world.peer(
                    "{P2,M2} = spawn_monitor(\(here), swift, sleep, [60000]), exit(P2, stop),"
                        + " receive {'DOWN',M2,_,P2,X2} -> X2 after 5000 -> none end") == "stop")
            #expect(
                try await world.peer(
                    "{P3,M3} = spawn_monitor(\(here), swift, sleep, [60000]), exit(P3, kill),"
                        + " receive {'DOWN',M3,_,P3,X3} -> X3 after 5000 -> none end") == "killed")
            #expect(
                try await world.peer(
                    "process_flag(trap_exit, true), P4 = spawn_link(\(here), swift, exit, [bye]),"
                        + " receive {'EXIT',P4,X4} -> X4 after 5000 -> none end") == "bye")
            #expect(
                try await world.peer(
                    "P5 = spawn_link(\(here), swift, sleep, [60000]), unlink(P5), link(P5),"
                        + " exit(P5, stop), receive {'EXIT',P5,X5} -> X5 after 5000 -> none end")
                    == "stop")
            #expect(try await world.peer("net_adm:ping(\(here))") == "pong")
        }

        @Test func `messages to names and processes that are not there are dropped`() async throws {
            let world = try await World()
            defer { world.end() }
            #expect(
                try await world.peer(
                    "{nobody,\(world.here)} ! hello, P = rpc:call(\(world.here), swift, echo, [self()]),"
                        + " P ! me, receive me -> ok end") == "ok")
            #expect(try await world.peer("net_adm:ping(\(world.here))") == "pong")
        }
    }
}
