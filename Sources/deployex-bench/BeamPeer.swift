internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import TestKit
internal import Transport

/// A BEAM of our own: it is called, times its own codec, sends, receives and connects. See
/// `bench/deployex_bench_peer.erl`.
struct BeamPeer: Sendable {
    let name: NodeName
    let process: ChildProcess
    private let control: Node

    private static let module: Atom = "deployex_bench_peer"

    /// - Parameter control: a node of ours that gives it its orders.
    init(
        _ alive: String, cookie: String, epmdPort: UInt16, folder: String, over wire: Wire,
        on processors: Processors, control: Node
    ) throws {
        name = try NodeName("\(alive)@\(wire.host)")
        process = try Self.start(
            alive, cookie: cookie, epmdPort: epmdPort, folder: folder, over: wire, on: processors)
        self.control = control
    }

    /// Starts a BEAM as a release would, but for what it runs.
    static func start(
        _ alive: String, cookie: String, epmdPort: UInt16, folder: String, over wire: Wire,
        on processors: Processors
    ) throws(TestFailure) -> ChildProcess {
        try processors.start(
            "erl",
            wire.switches(alive: alive, folder: folder) + [
                "-noshell", "-setcookie", cookie,
                "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                "-pa", folder, "-run", module.name, "live_with_stdin",
            ],
            environment: ["ERL_EPMD_PORT": "\(epmdPort)", "ERL_FLAGS": "", "ERL_AFLAGS": ""])
    }

    func connect() async throws {
        try await control.connect(to: name)
    }

    /// Its OTP release, such as `25`.
    func release() async throws -> String {
        try await call("erlang", "system_info", [.atom("otp_release")]).asText ?? "?"
    }

    /// The external format of a sample term.
    func sample(_ name: Atom) async throws -> [UInt8] {
        guard let bytes = try await call(Self.module, "sample", [.atom(name)]).asBinary else {
            throw TestFailure("the BEAM's sample \(name.name) is no binary")
        }
        return bytes
    }

    /// How long so many encodings or decodings of a sample take.
    func codec(_ operation: Atom, _ sample: Atom, iterations: Int) async throws -> Duration {
        try duration(
            try await call(
                Self.module, "codec", [.atom(operation), .atom(sample), .integer(iterations)]))
    }

    /// Starts its receiver of so many messages.
    func startSink(count: Int) async throws {
        _ = try await call(Self.module, "start_sink", [.integer(count)])
    }

    /// Returns when the receiver has all its messages.
    func awaitSink() async throws {
        _ = try await call(Self.module, "await_sink", [])
    }

    /// Sends numbers, or binaries of so many bytes, to the receiver on another node.
    func flood(_ node: NodeName, count: Int, byteCount: Int) async throws {
        _ = try await call(
            Self.module, "flood", [.atom(node.atom), .integer(count), .integer(byteCount)])
    }

    /// How long it takes to connect to another node, which it is disconnected from again.
    func connectTime(to node: NodeName) async throws -> Duration {
        try duration(try await call(Self.module, "connect", [.atom(node.atom)]))
    }

    /// Whether it is connected to a node.
    func isConnected(to node: NodeName) async throws -> Bool {
        try await call("erlang", "nodes", [.atom("connected")]).asList?
            .contains(.atom(node.atom)) == true
    }

    private func duration(_ result: Term) throws(TestFailure) -> Duration {
        guard let nanoseconds = result.asInteger else {
            throw TestFailure("the BEAM's time is no integer: \(result)")
        }
        return .nanoseconds(nanoseconds)
    }

    private func call(_ module: Atom, _ function: Atom, _ arguments: [Term]) async throws -> Term {
        try await control.call(name, module, function, arguments, timeout: .seconds(60))
    }
}
