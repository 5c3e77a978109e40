import EPMD
import ErlDist
import ExternalTermFormat
import Transport

/// A node that calls another one, gets messages from it, and is called by it.
///
/// ```
/// erl -sname peer -setcookie secret                             # in one terminal
/// swift run node-example swift@HOST peer@HOST secret            # in another
/// ```
@main
struct NodeExample {
    static func main() async throws {
        guard CommandLine.arguments.count == 4 else {
            return print("usage: node-example NAME@HOST PEER@HOST COOKIE")
        }
        let name = try NodeName(CommandLine.arguments[1])
        let peer = try NodeName(CommandLine.arguments[2])
        let loop = try EventLoop.onOwnThread()
        let epmd = SocketAddress.loopback(
            port: try EPMDEnvironment.port(environment("ERL_EPMD_PORT")))

        // A node asks EPMD where others listen …
        let client = EPMDClient(address: epmd, loop: loop)
        let node = Node(name: name, cookie: CommandLine.arguments[3], loop: loop) { name in
            try await client.addresses(name: name.alive, host: name.host)
        }
        // … and tells it where it does so itself. Without this it could call, and not be called.
        let address = try await node.listen(on: .any(port: 0))
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: name.alive, port: address.port), at: epmd, loop: loop)
        await node.setCreation(try await registration.register())

        // Call: the node is connected by the first call.
        let release: String = try await node.call(
            peer, "erlang", "system_info", [.atom("otp_release")], timeout: .seconds(5)
        ).converted()
        print("\(peer) runs OTP \(release)")

        // Be called: rpc:call('swift@HOST', greeter, hello, [<<"Joe">>]) and the like.
        await node.expose(module: "greeter") { function, arguments, caller in
            guard function == "hello", arguments.count == 1 else {
                throw ExposedCallError.undefined
            }
            let who: String = try arguments[0].converted()
            return "Hello \(who), from \(caller.node)".term
        }
        let greeting: String = try await node.call(
            peer, "rpc", "call",
            [name.atom.term, .atom("greeter"), .atom("hello"), ["Joe".term]], timeout: .seconds(5)
        ).converted()
        print(greeting)

        // Receive: anyone may now do {box, 'swift@HOST'} ! Message, or call it as a gen_server.
        let process = await node.spawnProcess()
        try await process.register("box")
        let box = Term.tuple([.atom("box"), name.atom.term])
        _ = try await node.call(
            peer, "erlang", "send", [box, ["a": 1, "b": 2].term], timeout: .seconds(5))
        let answer = Task {
            try await node.call(
                peer, "gen_server", "call", [box, 20.term], timeout: .seconds(5))
        }
        for await message in process.messages {
            guard case .message(let term, _) = message else { continue }
            guard let call = ServerCall(term) else {
                let numbers: [String: Int]? = try? term.converted()
                print("received \(numbers?["b"] ?? 0)")
                continue
            }
            let number: Int = try call.request.converted()
            await process.reply((number + 1).term, to: call)
            break
        }
        print("the answer was \(try await answer.value)")

        await process.end()
        await registration.stop()
        await node.close()
        loop.stop()
    }
}
