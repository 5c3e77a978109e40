internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// A BEAM of our own, which is called and which times its own codec. See `bench/deployex_bench_peer.erl`.
struct BeamPeer: Sendable {
    let name: NodeName
    let process: Child
    private let control: Node

    private static let module: Atom = "deployex_bench_peer"

    init(
        name: String, cookie: String, epmdPort: UInt16, folder: String, on processors: Processors,
        epmd: EPMDClient, loop: EventLoop
    ) throws {
        self.name = try NodeName("\(name)@127.0.0.1")
        process = try Self.start(
            name, cookie: cookie, epmdPort: epmdPort, folder: folder, on: processors)
        control = Node(
            name: try NodeName("control@127.0.0.1"), cookie: cookie, loop: loop,
            resolver: epmd.resolver)
    }

    /// Starts a BEAM as a release would, but for what it runs.
    static func start(
        _ name: String, cookie: String, epmdPort: UInt16, folder: String, on processors: Processors
    ) throws(BenchError) -> Child {
        try processors.start(
            "erl",
            [
                "-noshell", "-name", "\(name)@127.0.0.1", "-setcookie", cookie,
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
            throw BenchError("the BEAM's sample \(name.name) is no binary")
        }
        return bytes
    }

    /// How long so many encodings or decodings of a sample take.
    func codec(_ operation: Atom, _ sample: Atom, iterations: Int) async throws -> Duration {
        let result = try await call(
            Self.module, "codec", [.atom(operation), .atom(sample), .integer(iterations)])
        guard let nanoseconds = result.asInteger else {
            throw BenchError("the BEAM's time is no integer: \(result)")
        }
        return .nanoseconds(nanoseconds)
    }

    private func call(_ module: Atom, _ function: Atom, _ arguments: [Term]) async throws -> Term {
        try await control.call(name, module, function, arguments, timeout: .seconds(60))
    }
}
