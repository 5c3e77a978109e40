import EPMD
import TestKit
import Testing
import Transport

/// Swift's EPMD with OTP's: `epmd` as the daemon for our client, BEAM nodes as clients of our daemon.
@Suite(.ifOTPIsThere, .timeLimit(.minutes(1))) struct EPMDInteropTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func start(_ command: [String], epmdPort port: UInt16) throws -> ChildProcess {
        try ChildProcess.interop(command, epmdPort: port, input: .null)
    }

    /// Starts OTP's daemon and waits until it listens.
    private func startEPMD(port: UInt16) async throws -> ChildProcess {
        let process = try start(["epmd", "-port", "\(port)"], epmdPort: port)
        return try await offload { try process.listening(on: Int(port)) }
    }

    /// What it prints until it ends by itself.
    private func printed(by process: ChildProcess) async throws -> String {
        try await offload { try process.wait().output }
    }

    @Test func `OTP's daemon registers us, answers us, and gets us back after a restart`()
        async throws
    {
        let port = UInt16(FreePorts.take())
        let address = SocketAddress.loopback(port: port)
        let client = EPMDClient(address: address, loop: loop)
        let first = try await startEPMD(port: port)
        let events = Mailbox<EPMDRegistration.Event>()
        let node = EPMDNodeInfo(name: "swift-å", port: 4711, extra: [1, 2, 3])
        let registration = try EPMDRegistration(
            node, at: address, loop: loop, retryDelay: .milliseconds(20)
        ) { events.append($0) }

        let creation = try await registration.register()
        #expect(creation > 3)
        #expect(try await client.lookUp(name: "swift-å") == node)
        #expect(try await client.names() == [EPMDName(name: "swift-å", port: 4711)])
        await #expect(throws: EPMDError.notRegistered(name: "nobody", address: address)) {
            try await client.lookUp(name: "nobody")
        }
        let old = EPMDNodeInfo(name: "old", port: 1, highestVersion: 5)
        let oldRegistration = try EPMDRegistration(old, at: address, loop: loop)
        #expect((1...3).contains(try await oldRegistration.register()))
        let twin = try EPMDRegistration(node, at: address, loop: loop)
        await #expect(throws: EPMDError.duplicateName(name: "swift-å", address: address)) {
            try await twin.register()
        }
        // Nodes are registered, and the daemon is not relaxed.
        #expect(try await client.kill() == false)
        await #expect(
            throws: EPMDError.badReply(
                attempt: "unregistering `old` at \(address)", .notAnswered)
        ) { try await client.stop(name: "old") }
        await oldRegistration.stop()

        first.kill()
        await events.wait { $0.contains { if case .lost = $0 { true } else { false } } }
        let second = try await startEPMD(port: port)
        await events.wait { $0.count { if case .registered = $0 { true } else { false } } == 2 }
        #expect(try await client.lookUp(name: "swift-å") == node)
        await registration.stop()

        // The daemon sees the connection end a moment later.
        let deadline = MonotonicTime.now + .seconds(10)
        while try await !client.names().isEmpty, MonotonicTime.now < deadline {}
        #expect(try await client.kill())
        _ = try await printed(by: second)
        loop.stop()
    }

    @Test func `BEAM nodes register with our daemon and find one another, and epmd lists them`()
        async throws
    {
        let events = Mailbox<EPMDDaemon.Event>()
        let daemon = EPMDDaemon(loop: loop) { events.append($0) }
        // All interfaces: a host name often resolves to 127.0.1.1.
        let addresses = try await daemon.start(on: [.any(port: 0)])
        let port = try #require(addresses.first).port
        func names() async throws -> String {
            try await printed(by: start(["epmd", "-port", "\(port)", "-names"], epmdPort: port))
        }
        #expect(try await names() == "epmd: up and running on port \(port) with data:\n")

        let peer = try start(erl("epmd_peer", "ok"), epmdPort: port)
        await events.wait { !$0.isEmpty }
        let asking = try start(
            erl(
                "epmd_asking",
                """
                [_, Host] = string:split(atom_to_list(node()), "@"),
                Peer = list_to_atom("epmd_peer@" ++ Host),
                {ok, Names} = erl_epmd:names(),
                io:format("~p ~p ~p ~p~n", [net_adm:ping(Peer), erlang:system_info(creation),
                    rpc:call(Peer, erlang, system_info, [creation]),
                    lists:sort([Name || {Name, _} <- Names])]),
                halt()
                """), epmdPort: port)
        let output = try await printed(by: asking)
        await events.wait { $0.count == 3 }

        var ports: [String: UInt16] = [:]
        var creations: [String: UInt32] = [:]
        for case .registered(let node, let creation) in events.all {
            ports[node.name] = node.port
            creations[node.name] = creation
            #expect(node.type == .normal)
            #expect(node.highestVersion >= 6)
        }
        let own = try #require(creations["epmd_asking"])
        let theirs = try #require(creations["epmd_peer"])
        #expect(output == "pong \(own) \(theirs) [\"epmd_asking\",\"epmd_peer\"]\n")
        #expect(await daemon.nodes.map(\.name) == ["epmd_peer"])
        #expect(
            try await names() == """
                epmd: up and running on port \(port) with data:
                name epmd_peer at port \(try #require(ports["epmd_peer"]))

                """)

        let kill = ["epmd", "-port", "\(port)", "-kill"]
        let refusal = try await printed(by: start(kill, epmdPort: port))
        #expect(refusal.contains("not allowed"))
        peer.kill()
        await events.wait { $0.count == 4 }
        #expect(await daemon.nodes == [])
        #expect(try await printed(by: start(kill, epmdPort: port)) == "Killed\n")
        await daemon.waitUntilStopped()
        #expect(events.all.last == .killed)
        loop.stop()
    }

    /// A node that uses our daemon and starts none of its own.
    private func erl(_ name: String, _ code: String) -> [String] {
        [
            "erl", "-noinput", "-start_epmd", "false", "-sname", name, "-setcookie",
            "epmd_interop", "-eval", code + ".",
        ]
    }
}

/// What callbacks reported. A test waits until it satisfies a condition, with a deadline.
private final class Mailbox<Event: Sendable>: Sendable {
    private struct State {
        var events: [Event] = []
        var waiter: (isMet: @Sendable ([Event]) -> Bool, done: CheckedContinuation<Bool, Never>)?
    }
    private let state = Guarded(State())

    var all: [Event] { state.withLock { $0.events } }

    func append(_ event: Event) {
        state.withLock { $0.events.append(event) }
        resumeWaiter(timedOut: false)
    }

    func wait(until condition: @escaping @Sendable ([Event]) -> Bool) async {
        let deadline = Task {
            try await Task.sleep(for: .seconds(20))
            resumeWaiter(timedOut: true)
        }
        let isMet = await withCheckedContinuation { done in
            state.withLock { $0.waiter = (condition, done) }
            resumeWaiter(timedOut: false)
        }
        deadline.cancel()
        if !isMet { Issue.record("20 s later only this was reported: \(all)") }
    }

    private func resumeWaiter(timedOut: Bool) {
        state.withLock { state in
            guard let waiter = state.waiter else { return }
            let isMet = waiter.isMet(state.events)
            guard isMet || timedOut else { return }
            state.waiter = nil
            waiter.done.resume(returning: isMet)
        }
    }
}
