import EPMD
import ErlDist
import ExternalTermFormat
import TestKit
import Testing
import Transport

/// Processes of ours and those of a real node: messages, monitors, links, calls.
extension DistTests {
    @Suite struct DistProcessTests {
        private struct World {
            let fixture: DistFixture
            let node: Node
            let here: String
            let registration: EPMDRegistration
            let peer: DistPeer
            let process: ErlDist.ErlangProcess

            init(
                trapsExits: Bool = false, _ change: DistFixture.Change = { _ in }
            ) async throws {
                fixture = try await DistFixture()
                let (node, name, registration) = try await fixture.listeningNode("swift", change)
                self.node = node
                self.registration = registration
                here = "'\(name)'"
                peer = try await fixture.peer("peer")
                process = await node.spawnProcess(trapsExits: trapsExits)
                try await process.register("box")
            }

            func end() { fixture.end() }

            /// Evaluates and takes the message that the expression sends to our process.
            func message(
                _ expression: String
            ) async throws -> ErlDist.ErlangProcess.Message {
                _ = try await peer(expression)
                return try await process.receive(timeout: .seconds(10))
            }

            func pid(_ expression: String) async throws -> PID {
                let message = try await message("{box, \(here)} ! (\(expression))")
                guard case .message(.pid(let pid), _) = message else {
                    throw TestFailure("no pid: \(message)")
                }
                return pid
            }
        }

        private static let echo =
            "spawn(fun F() -> receive {From, M} -> From ! {self(), M}, F(); stop -> exit(done)"
            + " end end)"

        @Test func `messages go both ways by name, pid and alias`() async throws {
            let world = try await World()
            defer { world.end() }
            let echo = try await world.pid(Self.echo)
            let me = await world.process.pid
            try await world.process.send(.tuple([.pid(me), .binary("by pid")]), to: .pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.tuple([.pid(echo), .binary("by pid")]), from: echo))
            #expect(try await world.peer("register(echo, \(Self.echo))") == "true")
            try await world.process.send(
                .tuple([.pid(me), 1]), to: .name("echo", world.peer.name))
            guard case .message(.tuple(let fields), _) = try await world.process.receive() else {
                Issue.record("no answer")
                return
            }
            #expect(fields[1] == 1)

            // Theirs to our alias, as long as it is one.
            let alias = try await world.process.makeAlias()
            // The echo server writes to what stands first in the tuple, here to the alias itself.
            try await world.process.send(
                .tuple([.reference(alias), .binary("via alias")]), to: .pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.tuple([.pid(echo), .binary("via alias")]), from: echo))
            await world.process.removeAlias(alias)
            try await world.process.send(
                .tuple([.reference(alias), .binary("late")]), to: .pid(echo))
            try await world.process.send(.tuple([.pid(me), .binary("after")]), to: .pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.tuple([.pid(echo), .binary("after")]), from: echo))

            // Ours to theirs.
            #expect(
                try await world.peer(
                    "A = alias(), {box, \(world.here)} ! A, receive M -> M after 0 -> sent end")
                    == "sent")
            guard
                case .message(.reference(let theirs), _) = try await world.process.receive(
                    timeout: .seconds(5))
            else {
                Issue.record("no alias")
                return
            }
            try await world.process.send(.binary("to the alias"), to: .alias(theirs))
            #expect(
                try await world.peer("receive M -> M after 5000 -> none end")
                    == "<<\"to the alias\">>")
        }

        @Test func `a monitored process is reported once, by the name it was monitored by`()
            async throws
        {
            let world = try await World()
            defer { world.end() }
            let echo = try await world.pid(Self.echo)
            let byPID = await world.process.monitor(.pid(echo))
            try await world.process.send(.atom("stop"), to: .pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .down(.init(monitor: byPID, process: .pid(echo), reason: .atom("done"))))
            let dead = await world.process.monitor(.pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .down(.init(monitor: dead, process: .pid(echo), reason: .atom("noproc"))))
            let name = ErlDist.ErlangProcess.Destination.name("nobody", world.peer.name)
            let byName = await world.process.monitor(name)
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .down(.init(monitor: byName, process: name, reason: .atom("noproc"))))
            // A monitor that was removed says nothing, and the next message is another.
            let other = try await world.pid(Self.echo)
            let removed = await world.process.monitor(.pid(other))
            await world.process.demonitor(removed)
            try await world.process.send(.atom("stop"), to: .pid(other))
            let gone = await world.process.monitor(.pid(other))
            guard case .down(let down) = try await world.process.receive(timeout: .seconds(5))
            else {
                Issue.record("no end")
                return
            }
            #expect(down.monitor == gone)
        }

        @Test func `our end is told to those who monitor and link`() async throws {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            let watched = await world.node.spawnProcess()
            try await watched.register("watched")
            #expect(
                try await world.peer(
                    "erlang:monitor(process, {watched, \(here)}), "
                        + "erlang:monitor(process, {nobody, \(here)}), "
                        + "receive {'DOWN', _, _, {nobody, N}, R} -> {N =:= \(here), R} "
                        + "after 5000 -> none end") == "{true,noproc}")
            await watched.end(reason: .tuple([.atom("over"), 1]))
            #expect(
                try await world.peer(
                    "receive {'DOWN', _, _, {watched, N}, R} -> {N =:= \(here), R} "
                        + "after 5000 -> none end") == "{true,{over,1}}")
            #expect(await watched.exitReason == .tuple([.atom("over"), 1]))

            // A link from their side.
            let linked = await world.node.spawnProcess()
            try await linked.register("linked")
            let linker = try await world.pid(
                "spawn(fun() -> process_flag(trap_exit, true), {linked, \(here)} ! self(), "
                    + "receive P -> link(P), {linked, \(here)} ! ready end, "
                    + "receive {'EXIT', P, R} -> {box, \(here)} ! {got, R} end end)")
            #expect(
                try await linked.receive(timeout: .seconds(5))
                    == .message(.pid(linker), from: linker))
            try await linked.send(.pid(await linked.pid), to: .pid(linker))
            #expect(
                try await linked.receive(timeout: .seconds(5))
                    == .message(.atom("ready"), from: linker))
            await linked.end(reason: .atom("bye"))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.tuple([.atom("got"), .atom("bye")]), from: linker))
        }

        @Test func `exit signals end a process or are trapped, and kill always ends it`()
            async throws
        {
            let world = try await World(trapsExits: true)
            defer { world.end() }
            let me = await world.process.pid
            let echo = try await world.pid(Self.echo)
            await world.process.link(to: echo)
            try await world.process.send(.atom("stop"), to: .pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .exit(from: echo, reason: .atom("done")))
            await world.process.link(to: echo)
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .exit(from: echo, reason: .atom("noproc")))

            // exit/2 in both directions.
            let killer = try await world.pid(
                "spawn(fun F() -> receive {P, R} -> exit(P, R), F() end end)")
            try await world.process.send(
                .tuple([.pid(me), .atom("please")]), to: .pid(killer))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .exit(from: killer, reason: .atom("please")))
            let monitor = await world.process.monitor(.pid(killer))
            try await world.process.exit(killer, reason: .atom("enough"))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .down(
                        .init(monitor: monitor, process: .pid(killer), reason: .atom("enough"))))

            // Without trapping a linked process takes ours along, `normal` excepted.
            let fragile = await world.node.spawnProcess()
            for reason in ["normal", "crash"] {
                let partner = try await world.pid("spawn(fun() -> receive R -> exit(R) end end)")
                await fragile.link(to: partner)
                let watch = await world.process.monitor(.pid(partner))
                try await world.process.send(.atom(Atom(shortEnough: reason)), to: .pid(partner))
                #expect(
                    try await world.process.receive(timeout: .seconds(5))
                        == .down(
                            .init(
                                monitor: watch, process: .pid(partner),
                                reason: .atom(Atom(shortEnough: reason)))
                        ))
            }
            await #expect(throws: ReceiveError.ended(reason: .atom("crash"))) {
                try await fragile.receive(timeout: .seconds(5))
            }

            let last = try await world.pid(
                "spawn(fun F() -> receive {P, R} -> exit(P, R), F() end end)")
            try await world.process.send(.tuple([.pid(me), .atom("kill")]), to: .pid(last))
            await #expect(throws: ReceiveError.ended(reason: .atom("killed"))) {
                try await world.process.receive(timeout: .seconds(5))
            }
        }

        @Test func `an unlinked process is not taken along, and the peer knows of no link`()
            async throws
        {
            let world = try await World()
            defer { world.end() }
            let partner = try await world.pid(
                "spawn(fun() -> receive links -> {box, \(world.here)} ! "
                    + "{links, element(2, process_info(self(), links))} end, "
                    + "receive R -> exit(R) end end)")
            for _ in 0..<50 {
                await world.process.link(to: partner)
                await world.process.unlink(from: partner)
            }
            try await world.process.send(.atom("links"), to: .pid(partner))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.tuple([.atom("links"), []]), from: partner))
            let monitor = await world.process.monitor(.pid(partner))
            try await world.process.send(.atom("crash"), to: .pid(partner))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .down(
                        .init(monitor: monitor, process: .pid(partner), reason: .atom("crash"))))
        }

        @Test func `a real gen_server is called and cast to`() async throws {
            let world = try await World()
            defer { world.end() }
            // `global_name_server` is a gen_server of every node; `rex` answers calls too.
            let rex = ErlDist.ErlangProcess.Destination.name("rex", world.peer.name)
            let request = Term.tuple([
                .atom("call"), .atom("lists"), .atom("reverse"), [[1, 2, 3]], .atom("user"),
            ])
            #expect(
                try await world.process.call(rex, request, timeout: .seconds(5)) == [3, 2, 1])
            await #expect(
                throws: CallError.exception(class: .exit, reason: .atom("noproc"), stack: [])
            ) {
                try await world.process.call(
                    .name("nobody", world.peer.name), 1, timeout: .seconds(5))
            }
            // A server that dies while it is asked, one that is silent, one that is asked in vain.
            let mortal = try await world.pid(
                "spawn(fun() -> receive {'$gen_call', _, X} -> exit(X) end end)")
            await #expect(
                throws: CallError.exception(class: .exit, reason: .atom("oops"), stack: [])
            ) {
                try await world.process.call(.pid(mortal), .atom("oops"), timeout: .seconds(5))
            }
            let silent = try await world.pid("spawn(fun() -> receive never -> ok end end)")
            await #expect(throws: CallError.timedOut) {
                try await world.process.call(.pid(silent), 1, timeout: .milliseconds(50))
            }
            let caster = try await world.pid(
                "spawn(fun() -> receive {'$gen_cast', X} -> {box, \(world.here)} ! X end end)")
            try await world.process.cast(.pid(caster), .binary("cast"))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.binary("cast"), from: caster))
        }

        @Test func `gen_server calls of a real node are answered, whatever their tag`()
            async throws
        {
            let world = try await World()
            defer { world.end() }
            let process = world.process
            let server = Task {
                for await message in process.messages {
                    guard case .message(let term, _) = message else { continue }
                    if let call = ServerCall(term) {
                        await process.reply(.tuple([.atom("echo"), call.request]), to: call)
                    } else if case .atom("stop")? = ServerCall.cast(in: term) {
                        await process.end()
                    }
                }
            }
            let here = world.here
            #expect(
                try await world.peer("gen_server:call({box, \(here)}, hello)") == "{echo,hello}")
            #expect(
                try await world.peer(
                    "R = make_ref(), {box, \(here)} ! {'$gen_call', {self(), {old, R}}, hi}, "
                        + "receive {{old, R}, X} -> X after 5000 -> none end") == "{echo,hi}")
            #expect(
                try await world.peer(
                    "{[{_, A}], []} = gen_server:multi_call([\(here)], box, hello, 5000), A")
                    == "{echo,hello}")
            #expect(try await world.peer("gen_server:cast({box, \(here)}, stop)") == "ok")
            await server.value
            #expect(
                try await world.peer("catch gen_server:call({box, \(here)}, hello)")
                    .contains("noproc"))
        }

        @Test func `a node that is gone ends links and monitors with noconnection`() async throws {
            let world = try await World(trapsExits: true)
            defer { world.end() }
            let echo = try await world.pid(Self.echo)
            await world.process.link(to: echo)
            let monitor = await world.process.monitor(.pid(echo))
            let process = world.process
            let waiting = Task {
                try await process.call(.pid(echo), 1, timeout: .seconds(30))
            }
            _ = try await world.peer("ok")
            world.peer.process.kill()
            await #expect(throws: CallError.self) { try await waiting.value }
            var seen: Set<String> = []
            for _ in 0..<2 {
                switch try await world.process.receive(timeout: .seconds(5)) {
                case .down(let down):
                    #expect(down.monitor == monitor && down.reason == .atom("noconnection"))
                    seen.insert("down")
                case .exit(let from, let reason):
                    #expect(from == echo && reason == .atom("noconnection"))
                    seen.insert("exit")
                case .message(let term, _): Issue.record("\(term)")
                }
            }
            #expect(seen == ["down", "exit"])
            // And nobody is there to be reached.
            let again = await world.process.monitor(.pid(echo))
            #expect(
                try await world.process.receive(timeout: .seconds(30))
                    == .down(
                        .init(monitor: again, process: .pid(echo), reason: .atom("noconnection"))))
        }

        @Test func `a cancelled call ends at once and leaves no monitor behind`() async throws {
            let world = try await World()
            defer { world.end() }
            let (node, peer, process) = (world.node, world.peer, world.process)
            #expect(try await peer("register(shell, self())") == "true")
            let call = Task {
                try await node.call(
                    peer.name, "timer", "sleep", [60_000], timeout: .seconds(60))
            }
            let sleeping =
                "[P || P <- processes(), process_info(P, current_function) =:= "
                + "{current_function, {timer, sleep, 1}}]"
            try await eventually("the call runs") { try await peer("length(\(sleeping))") == "1" }
            let silent = try await world.pid("spawn(fun() -> receive never -> ok end end)")
            let serverCall = Task {
                try await process.call(.pid(silent), 1, timeout: .seconds(60))
            }
            let begin = MonotonicTime.now
            call.cancel()
            serverCall.cancel()
            await #expect(throws: CallError.cancelled) { try await call.value }
            await #expect(throws: CallError.cancelled) { try await serverCall.value }
            #expect((MonotonicTime.now - begin) < .seconds(5))
            let monitored =
                "lists:append([element(2, process_info(P, monitored_by)) || P <- "
                + sleeping + "])"
            try await eventually("nobody monitors it") { try await peer(monitored) == "[]" }
        }

        @Test func `signals with trace tokens arrive as others do, and the trace ends here`()
            async throws
        {
            let world = try await World()
            defer { world.end() }
            let here = world.here
            let me = await world.process.pid
            let alias = try await world.process.makeAlias()
            let echo = try await world.pid(Self.echo)
            func message() async throws -> Term? {
                guard
                    case .message(let term, _) = try await world.process.receive(
                        timeout: .seconds(5))
                else { return nil }
                return term
            }
            // To a name, a pid and an alias: REG_SEND_TT, SEND_SENDER_TT, ALIAS_SEND_TT.
            let traced = "seq_trace:set_token(label, 17), seq_trace:set_token(send, true)"
            _ = try await world.peer("\(traced), {box, \(here)} ! by_name, seq_trace:set_token([])")
            #expect(try await message() == .atom("by_name"))
            let sender = try await world.pid(
                "spawn(fun F() -> receive {To, M} -> \(traced), To ! M, seq_trace:set_token([]), F() end end)"
            )
            for destination: Term in [.pid(me), .reference(alias)] {
                try await world.process.send(
                    .tuple([destination, .binary("traced")]), to: .pid(sender))
                #expect(try await message() == .binary("traced"))
            }
            // SPAWN_REQUEST_TT and SPAWN_REPLY_TT. OTP 25 forgets the caller's token, whoever is called.
            await world.node.expose(module: "swift") { _, arguments, _ in .list(arguments) }
            let label = "seq_trace:get_token(label)"
            let kept = try await OTPRelease.number.value > 25 ? "{label,17}" : "[]"
            #expect(
                try await world.peer(
                    "\(traced), R = {erpc:call(\(here), swift, f, [1]), rpc:call(\(here), swift, f, [2]),"
                        + " \(label)}, seq_trace:set_token([]), R") == "{[1],[2],\(kept)}")
            // EXIT2_TT, and EXIT_TT of a link that breaks.
            let doomed = await world.node.spawnProcess()
            try await doomed.register("doomed")
            let killer = try await world.pid(
                "spawn(fun() -> receive {P, R} -> \(traced), exit(P, R) end end)")
            try await world.process.send(
                .tuple([.pid(await doomed.pid), .atom("traced")]), to: .pid(killer))
            await #expect(throws: ReceiveError.ended(reason: .atom("traced"))) {
                try await doomed.receive(timeout: .seconds(5))
            }
            let linked = await world.node.spawnProcess()
            let partner = try await world.pid(
                "spawn(fun() -> receive R -> \(traced), exit(R) end end)")
            await linked.link(to: partner)
            try await world.process.send(.atom("broken"), to: .pid(partner))
            await #expect(throws: ReceiveError.ended(reason: .atom("broken"))) {
                try await linked.receive(timeout: .seconds(5))
            }
            try await world.process.send(.tuple([.pid(me), 1]), to: .pid(echo))
            #expect(try await message() == .tuple([.pid(echo), 1]))
        }

        /// ALTACT_SIG_SEND, which only OTP 28 and later send, and only to nodes that offer it.
        @Test(arguments: [true, false])
        func `priority messages and exits arrive, whether they are offered or not`(isOffered: Bool)
            async throws
        {
            guard try await OTPRelease.number.value >= 28 else { return }
            let world = try await World(trapsExits: true) {
                if isOffered { $0.flags.insert(.alternativeActions) }
            }
            defer { world.end() }
            let me = await world.process.pid
            let alias = try await world.process.makeAlias()
            let sender = try await world.pid(
                "spawn(fun F() -> receive {send, To, M} -> erlang:send(To, M, [priority]), F();"
                    + " {exit, To, R} -> erlang:exit(To, R, [priority]), F() end end)")
            try await world.process.send(
                .tuple([.atom("send"), .reference(alias), .binary("urgent")]), to: .pid(sender))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.binary("urgent"), from: sender))
            // To a node that does not know of them, an exit signal to an alias is not sent at all.
            for target: Term in isOffered ? [.reference(alias), .pid(me)] : [.pid(me)] {
                try await world.process.send(
                    .tuple([.atom("exit"), target, .atom("now")]), to: .pid(sender))
                #expect(
                    try await world.process.receive(timeout: .seconds(5))
                        == .exit(from: sender, reason: .atom("now")))
            }
            try await world.process.send(
                .tuple([.atom("send"), .pid(me), .binary("ordinary")]), to: .pid(sender))
            #expect(
                try await world.process.receive(timeout: .seconds(5))
                    == .message(.binary("ordinary"), from: sender))
        }

        @Test func `a pid of an earlier life reaches nobody in the next one`() async throws {
            let world = try await World()
            defer { world.end() }
            #expect(try await world.peer("register(shell, self())") == "true")
            let old = await world.process.pid
            try await world.process.send(.pid(old), to: .name("shell", world.peer.name))
            // Kept by the peer for later.
            #expect(
                try await world.peer("receive P -> put(old, P), is_pid(P) after 5000 -> none end")
                    == "true")
            await world.registration.stop()
            await world.node.close()
            try await eventually("EPMD has noticed") {
                (try? await world.fixture.client.names())?.contains { $0.name == "swift" } == false
            }
            let peer = world.peer
            try await eventually("the peer has noticed") {
                try await peer("nodes(hidden)") == "[]"
            }
            let (node, name, registration) = try await world.fixture.listeningNode("swift")
            let process = await node.spawnProcess()
            let new = await process.pid
            #expect(new.id == old.id && new.creation != old.creation)
            try await process.register("box")
            #expect(
                try await world.peer(
                    "get(old) ! lost, R = monitor(process, get(old)), {box, '\(name)'} ! found,"
                        + " receive {'DOWN', R, _, _, W} -> W after 5000 -> none end") == "noproc")
            guard
                case .message(.atom("found"), _) = try await process.receive(timeout: .seconds(5))
            else {
                Issue.record("another message came first")
                return
            }
            await registration.stop()
            await node.close()
        }

        @Test func `processes of one node reach each other as others do`() async throws {
            let world = try await World(trapsExits: true)
            defer { world.end() }
            let other = await world.node.spawnProcess()
            try await other.register("other")
            let name = try #require(await world.node.name)
            let (me, pid) = (await world.process.pid, await other.pid)
            try await world.process.send(.binary("hello"), to: .name("other", name))
            #expect(
                try await other.receive(timeout: .seconds(1))
                    == .message(.binary("hello"), from: me))
            async let answer = world.process.call(.pid(pid), .binary("ask"), timeout: .seconds(5))
            guard case .message(let term, _) = try await other.receive(timeout: .seconds(1)),
                let call = ServerCall(term)
            else {
                Issue.record("no call")
                return
            }
            await other.reply(.binary("answer"), to: call)
            let answered = try await answer
            #expect(answered == .binary("answer"))
            await world.process.link(to: pid)
            let monitor = await world.process.monitor(.name("other", name))
            await #expect(throws: ProcessError.nameTaken("box")) { try await other.register("box") }
            await other.end(reason: .atom("over"))
            #expect(
                try await world.process.receive(timeout: .seconds(1))
                    == .exit(from: pid, reason: .atom("over")))
            #expect(
                try await world.process.receive(timeout: .seconds(1))
                    == .down(
                        .init(
                            monitor: monitor, process: .name("other", name), reason: .atom("over")))
            )
        }
    }
}
