import EPMD
import ErlDist
import ExternalTermFormat
import Foundation
import Glibc
import Synchronization
import Testing
import Transport

/// The distribution over mutual TLS with a real node, in both directions.
extension DistTests {
    @Suite struct DistTLSTests {
        @Test(arguments: ["tlsv1.2", "tlsv1.3"])
        func `calls go both ways over mutual TLS`(version: String) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let certificates = try Certificates(host: fixture.host)
            defer { certificates.remove() }
            let options = try certificates.optionsFile(version: version)
            var configuration = Node.Configuration()
            configuration.tls = try DistributionTLS(optionsFile: options)
            #expect(configuration.tls?.options.isMutual == true)
            let (node, name, registration) = try await fixture.listeningNode(
                "here", configuration: configuration)
            await node.expose(module: "here") { _, arguments, _ in .list(arguments) }
            let peer = try await fixture.peer("peer", arguments: Certificates.arguments(options))

            // The real node connects.
            #expect(try await peer("net_adm:ping('\(name)')") == "pong")
            #expect(try await peer("erpc:call('\(name)',here,echo,[1,{a}])") == "[1,{a}]")
            // And we do, with arguments of several TLS records and fragments.
            await node.disconnect(from: peer.name)
            let bytes = [UInt8](repeating: 7, count: 2_000_000)
            let size = try await node.call(
                peer.name, "erlang", "byte_size", [.binary(bytes)], timeout: .seconds(20))
            #expect(size == 2_000_000)
            await registration.stop()
            await node.close()
        }

        @Test func `a node without TLS is refused, and the log says what it lacks`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let certificates = try Certificates(host: fixture.host)
            defer { certificates.remove() }
            var configuration = Node.Configuration()
            configuration.tls = try DistributionTLS(
                optionsFile: certificates.optionsFile(version: "tlsv1.2"))
            let (node, name, registration) = try await fixture.listeningNode(
                "here", configuration: configuration)
            let logged = Mutex<[String]>([])
            await node.setLogHandler { _, text in logged.withLock { $0.append(text) } }
            let peer = try await fixture.peer("peer")
            #expect(try await peer("net_adm:ping('\(name)')") == "pang")
            try await eventually("the refusal is logged") {
                logged.withLock { $0.contains { $0.contains("without TLS") } }
            }
            await registration.stop()
            await node.close()
        }

        @Test func `a certificate of another authority is refused, with the reason`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let certificates = try Certificates(host: fixture.host)
            defer { certificates.remove() }
            let others = try Certificates(host: fixture.host)
            defer { others.remove() }
            let peer = try await fixture.peer(
                "peer",
                arguments: Certificates.arguments(try others.optionsFile(version: "tlsv1.2")))
            var configuration = Node.Configuration()
            configuration.tls = try DistributionTLS(
                optionsFile: certificates.optionsFile(version: "tlsv1.2"))
            let node = Node(
                name: try NodeName(alive: "here", host: fixture.host), cookie: "secret",
                loop: fixture.loop, configuration: configuration, resolver: fixture.resolver)
            do throws(CallError) {
                try await node.connect(to: peer.name)
                Issue.record("connected to a stranger")
            } catch {
                guard case .unreachable(let text) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(text.contains("certificate"), "\(text)")
            }
        }
    }
}

/// An authority and one node's certificate, made by openssl in a folder that the peers see too.
private struct Certificates {
    private let folder: SharedFolder

    init(host: String) throws {
        folder = try SharedFolder()
        let path = folder.location
        try Self.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "\(path)/ca.key", "-out", "\(path)/ca.crt", "-days", "2",
            "-subj", "/CN=test authority \(UUID().uuidString)",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        ])
        try Self.openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "\(path)/node.key", "-out", "\(path)/node.csr", "-subj", "/CN=node",
        ])
        try Data(
            """
            subjectAltName=DNS:\(host),DNS:localhost
            keyUsage=critical,digitalSignature
            extendedKeyUsage=serverAuth,clientAuth
            """.utf8
        ).write(to: URL(fileURLWithPath: "\(path)/node.ext"))
        try Self.openssl([
            "x509", "-req", "-in", "\(path)/node.csr", "-CA", "\(path)/ca.crt",
            "-CAkey", "\(path)/ca.key", "-CAcreateserial", "-days", "1",
            "-extfile", "\(path)/node.ext", "-out", "\(path)/node.crt",
        ])
    }

    /// The file for `-ssl_dist_optfile`, for both sides.
    func optionsFile(version: String) throws -> String {
        let common = """
            {certfile,"\(folder.path)/node.crt"},{keyfile,"\(folder.path)/node.key"},
            {cacertfile,"\(folder.path)/ca.crt"},{verify,verify_peer},{versions,['\(version)']}
            """
        let text = "[{server,[\(common),{fail_if_no_peer_cert,true}]},{client,[\(common)]}].\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.location + "/tls.conf"))
        return folder.path + "/tls.conf"
    }

    static func arguments(_ optionsFile: String) -> [String] {
        ["-proto_dist", "inet_tls", "-ssl_dist_optfile", optionsFile]
    }

    func remove() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.location)) ?? []
        for name in names {
            try? FileManager.default.removeItem(atPath: "\(folder.location)/\(name)")
        }
        folder.remove()
    }

    /// Runs the host's openssl, quietly.
    private static func openssl(_ arguments: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in [1, 2] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        let argv = (["openssl"] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var pid: pid_t = 0
        var status: Int32 = 1
        guard posix_spawnp(&pid, "openssl", &actions, nil, argv, environ) == 0,
            waitpid(pid, &status, 0) == pid, status == 0
        else {
            throw DistFailure(description: "openssl \(arguments[0]) failed")
        }
    }
}
