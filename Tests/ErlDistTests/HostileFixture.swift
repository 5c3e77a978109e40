import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

@testable import ErlDist

/// How a hostile peer reaches the node.
enum HostileWay: String, CaseIterable, CustomTestStringConvertible {
    case tcp, tls
    var testDescription: String { rawValue }
}

/// A node that others attack, and one that wants to be served meanwhile. Each side has a loop of
/// its own.
struct HostileFixture {
    let node: Node
    let name: NodeName
    let address: SocketAddress
    /// For peers.
    let loop: EventLoop
    let tls: DistributionTLS?
    private let nodeLoop: EventLoop
    private let guest: Node
    private let log = Log()

    private final class Log: Sendable {
        let lines = Guarded<[String]>([])
        let downs = Guarded<[(NodeName, DisconnectReason)]>([])
    }

    /// - Parameter reportOfFiles: called by who looks at the files of TLS, which are gone.
    init(
        _ way: HostileWay, _ configure: (inout Node.Configuration) -> Void = { _ in },
        reportOfFiles: @escaping @Sendable () -> Void = {}
    ) async throws {
        nodeLoop = try .onOwnThread()
        loop = try .onOwnThread()
        tls = way == .tls ? try TestCertificates().options(reportOfFiles) : nil
        var configuration = Node.Configuration()
        configuration.tls = tls
        configure(&configuration)
        let plain = try NodeName("victim@localhost")
        node = Node(
            name: plain, cookie: "secret", loop: nodeLoop, configuration: configuration
        ) { _ in [] }
        address = try await node.listen(on: .loopback(port: 0))
        name = try NodeName(alive: plain.alive, host: plain.host, port: address.port)
        var guestConfiguration = Node.Configuration()
        guestConfiguration.tls = tls
        guest = Node(
            name: try NodeName("guest@localhost"), cookie: "secret", loop: loop,
            configuration: guestConfiguration
        ) { _ in [] }
        let log = log
        await node.setLogHandler { level, text in
            // Who has connected is no trouble.
            guard level != .info else { return }
            log.lines.withLock { $0.append(text) }
        }
        await node.setEventHandler { event in
            if case .nodeDown(let name, let reason) = event {
                log.downs.withLock { $0.append((name, reason)) }
            }
        }
    }

    /// What the node has logged.
    var lines: [String] { log.lines.withLock { $0 } }

    /// Why the node has ended its connections to a peer.
    func ends(of name: String) async -> [DisconnectReason] {
        await settle()
        return log.downs.withLock { $0 }.filter { $0.0.text == name }.map(\.1)
    }

    /// A peer sees the end of a connection before the node has told of it: after this it has.
    func settle() async {
        _ = await node.name
    }

    func peer() -> RawPeer { RawPeer(loop: loop, tls: tls) }

    func peer(as name: String, flags: DistributionFlags = .standard) async throws -> RawPeer {
        let peer = peer()
        try await peer.connect(to: address, as: name, node: self.name, flags: flags)
        return peer
    }

    /// The node answers someone else, on the old connection and on a new one.
    func expectService(_ comment: Comment? = nil, _ location: SourceLocation = #_sourceLocation)
        async
    {
        do throws(CallError) {
            try await guest.ping(name)
            await guest.disconnect(from: name)
            try await guest.ping(name)
        } catch {
            Issue.record("not served: \(error)", sourceLocation: location)
        }
    }

    /// A group leader of the node's, as the functions that it calls have one.
    func leader(printing output: @escaping @Sendable (String) -> Void) async throws -> PID {
        await node.makeLeader(printing: output)
    }

    /// Someone else who asks the node whether it is there, again and again, and for how long it
    /// waits at most.
    func pings() -> Pings { Pings(guest, name) }

    final class Pings: Sendable {
        private final class Flag: Sendable {
            private let value = Guarded(false)
            var isSet: Bool { value.withLock { $0 } }
            func set() { value.withLock { $0 = true } }
        }

        private let end = Flag()
        private let task: Task<Duration, Never>

        init(_ guest: Node, _ name: NodeName) {
            let end = end
            task = Task {
                var longest = Duration.zero
                while !end.isSet {
                    let start = MonotonicTime.now
                    try? await guest.ping(name, timeout: .seconds(60))
                    longest = max(longest, MonotonicTime.now - start)
                }
                return longest
            }
        }

        func stop() async -> Duration {
            end.set()
            return await task.value
        }
    }

    func end() async {
        await guest.close()
        await node.close()
        nodeLoop.stop()
        loop.stop()
    }

    /// Bytes of this process that are in memory.
    static var residentByteCount: Int {
        var text = [CChar](repeating: 0, count: 256)
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        guard fgets(&text, Int32(text.count), file) != nil else { return 0 }
        let fields = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        return (Int(fields.split(separator: " ")[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    static var isSanitized: Bool {
        dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil
    }

    /// Less memory than `limit` has been taken since. A sanitizer takes its own.
    static func expectMemory(
        since before: Int, below limit: Int, _ location: SourceLocation = #_sourceLocation
    ) {
        guard !isSanitized else { return }
        #expect(residentByteCount - before < limit, sourceLocation: location)
    }
}

/// An authority and a certificate for localhost, made by the `openssl` program.
private struct TestCertificates {
    private let folder = TemporaryFolder("hostile")

    init() throws {
        let script = """
            cd \(folder.path) &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
                -out ca.crt -days 2 -subj /CN=test -addext keyUsage=critical,keyCertSign,cRLSign &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout node.key \
                -out node.csr -subj /CN=node &&
            printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth,clientAuth\\n' >ext &&
            openssl x509 -req -in node.csr -CA ca.crt -CAkey ca.key -days 2 -extfile ext -out node.crt
            """
        try ChildProcess.run("sh", ["-c", script])
    }

    /// Loads them; the files are not needed after that.
    func options(_ report: @escaping @Sendable () -> Void) throws -> DistributionTLS {
        let files = """
            {certfile,"\(folder("node.crt"))"},{keyfile,"\(folder("node.key"))"},
            {cacertfile,"\(folder("ca.crt"))"},{verify,verify_peer}
            """
        let options = try DistributionTLSOptions(
            text: "[{server,[\(files)]},{client,[\(files)]}].", file: "inet_tls.conf")
        return try DistributionTLS(options, file: "inet_tls.conf") { _, _ in report() }
    }
}

extension Node {
    fileprivate func makeLeader(printing output: @escaping @Sendable (String) -> Void) -> PID {
        let id = processes.newID()
        leaders.add(id, output: output)
        return identity.pid(id, creation: creation, serial: GroupLeader.serial)
    }
}
