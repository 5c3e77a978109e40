import EPMD
import ErlDist
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

/// The tests of the distribution against real nodes, over the transport of this run. One after the other:
/// each starts nodes, which take all the processor there is.
@Suite(.ifOTPIsThere, .ifTransportIsKnown, .serialized, .timeLimit(.minutes(2))) enum DistTests {}

/// What a test of the distribution needs: an event loop, an EPMD of its own, nodes, and their end.
final class DistFixture: Sendable {
    typealias Change = (inout Node.Configuration) -> Void

    let loop: EventLoop
    let epmdPort: UInt16
    let host: String
    /// Those of all nodes here; `nil` over plain TCP.
    let certificates: DistCertificates?
    private let tls: DistributionTLS?
    /// The switches that real nodes have TLS by.
    let transportArguments: [String]
    private let children = Guarded<[ChildProcess]>([])

    init(over transport: DistTransport = .current) async throws {
        loop = try .onOwnThread()
        // Below those that the kernel gives out: another test's node cannot take it meanwhile.
        epmdPort = UInt16(FreePorts.take())
        host = ThisHost.name
        if let version = transport.version {
            let certificates = try DistCertificates(host: host)
            let options = try certificates.optionsFile(version: version)
            self.certificates = certificates
            tls = try DistributionTLS(optionsFile: options)
            transportArguments = DistFixture.arguments(optionsFile: options)
        } else {
            certificates = nil
            tls = nil
            transportArguments = []
        }
        let epmd = try ChildProcess.interop(["epmd", "-port", "\(epmdPort)"], epmdPort: epmdPort)
        children.withLock { $0.append(epmd) }
        let port = Int(epmdPort)
        _ = try await offload { try epmd.listening(on: port) }
    }

    /// Ends every process of the test, and the loop.
    func end() {
        for child in children.withLock({ $0 }) { child.kill() }
        loop.stop()
    }

    static func arguments(optionsFile: String) -> [String] {
        ["-proto_dist", "inet_tls", "-ssl_dist_optfile", optionsFile]
    }

    var client: EPMDClient { EPMDClient(address: .loopback(port: epmdPort), loop: loop) }

    var resolver: Node.Resolver {
        let client = client
        return { name in
            let info = try await client.lookUp(name: name.alive)
            return [.loopback(port: info.port)]
        }
    }

    // MARK: Real nodes

    /// A real node that evaluates expressions.
    func peer(
        _ alive: String, cookie: String = "secret", optionsFile: String? = nil,
        arguments: [String] = []
    ) async throws -> DistPeer {
        let transport = optionsFile.map(Self.arguments(optionsFile:)) ?? transportArguments
        let process = try erl(
            ["-sname", alive, "-setcookie", cookie] + transport + arguments,
            evaluating: DistPeer.evaluator)
        return try await DistPeer(name: try NodeName(alive: alive, host: host), process: process)
            .afterBoot()
    }

    /// A real node with a long name.
    /// - Parameter usesIPv6: whether it listens and connects over IPv6.
    func peer(longName: String, usesIPv6: Bool = false) async throws -> DistPeer {
        var arguments = transportArguments
        if usesIPv6 {
            if arguments.isEmpty {
                arguments = ["-proto_dist", "inet6_tcp"]
            } else {
                arguments[1] = "inet6_tls"
            }
        }
        let process = try erl(
            ["-name", longName, "-setcookie", "secret"] + arguments, evaluating: DistPeer.evaluator)
        return try await DistPeer(name: try NodeName(longName), process: process).afterBoot()
    }

    /// A real node without a name, with whose cookie ours is the same.
    func namelessPeer(evaluating expression: String) throws -> ChildProcess {
        try erl(
            ["-sname", "undefined", "-setcookie", "secret"] + transportArguments,
            evaluating: expression)
    }

    private func erl(_ arguments: [String], evaluating expression: String) throws -> ChildProcess {
        let process = try ChildProcess.interop(
            ["erl", "-noshell"] + arguments + ["-eval", expression], epmdPort: epmdPort)
        children.withLock { $0.append(process) }
        return process
    }

    // MARK: Nodes of ours

    /// A node of ours that listens and is registered.
    func listeningNode(
        _ alive: String, cookie: String = "secret", _ change: Change = { _ in }
    ) async throws -> (node: Node, name: NodeName, registration: EPMDRegistration) {
        let name = try NodeName(alive: alive, host: host)
        let node = node(name, cookie: cookie, change)
        let address = try await node.listen(on: .loopback(port: 0))
        return (node, name, try await register(node, alive, port: address.port))
    }

    /// Registers a node that listens.
    func register(_ node: Node, _ alive: String, port: UInt16) async throws -> EPMDRegistration {
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: alive, port: port), at: .loopback(port: epmdPort), loop: loop)
        await node.setCreation(try await registration.register())
        return registration
    }

    /// A node of ours that only dials.
    func node(_ alive: String, cookie: String = "secret", _ change: Change = { _ in }) throws
        -> Node
    {
        node(try NodeName(alive: alive, host: host), cookie: cookie, change)
    }

    func node(_ name: NodeName, cookie: String = "secret", _ change: Change = { _ in }) -> Node {
        Node(
            name: name, cookie: cookie, loop: loop, configuration: configuration(change),
            resolver: resolver)
    }

    /// How nodes of ours behave that speak this fixture's transport.
    func configuration(_ change: Change = { _ in }) -> Node.Configuration {
        var configuration = Node.Configuration()
        configuration.tls = tls
        change(&configuration)
        return configuration
    }
}

/// A real node on the other side of a pipe: each line is evaluated, its value printed as one line.
final class DistPeer: Sendable {
    let name: NodeName
    let process: ChildProcess

    init(name: NodeName, process: ChildProcess) {
        self.name = name
        self.process = process
    }

    /// The value of an expression as `~0tp` prints it. Exceptions come as `{Class,Reason}`.
    func callAsFunction(_ expression: String, timeout: Duration = .seconds(20)) async throws
        -> String
    {
        let process = process
        return try await offload {
            try process.write(expression + ".\n")
            return try process.line(after: "=> ", within: timeout)
        }
    }

    /// Waits until the peer has printed one of `texts`: its log goes where its answers do.
    func says(_ texts: [String], within timeout: Duration = .seconds(10)) async throws {
        let deadline = MonotonicTime.now + timeout
        while !texts.contains(where: process.leftOut.contains) {
            guard MonotonicTime.now < deadline else {
                throw TestFailure(
                    "the peer did not say \(texts), but: \(process.leftOut)")
            }
            _ = try await self("timer:sleep(10)")
        }
    }

    /// Itself, once it evaluates what it is given.
    func afterBoot() async throws -> DistPeer {
        #expect(try await self("ready") == "ready")
        return self
    }

    static let evaluator = """
        io:setopts([{encoding,unicode}]),
        F = fun F() ->
            case io:get_line("") of
                eof -> halt(0);
                Line ->
                    Value = try
                        {ok, Tokens, _} = erl_scan:string(Line),
                        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                        {value, V, _} = erl_eval:exprs(Expressions, []),
                        V
                    catch C:R -> {C, R} end,
                    io:format("=> ~0tp~n", [Value]),
                    F()
            end
        end,
        F().
        """
}

/// Collects what a call prints.
final class Printed: Sendable {
    private let content = Guarded("")
    var text: String { content.withLock { $0 } }
    func append(_ text: String) { content.withLock { $0 += text } }
}
