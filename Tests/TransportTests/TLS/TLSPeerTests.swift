import TestKit
import Testing

@testable import Transport

/// TLS streams against other programs: the `openssl` tool, and Erlang's `ssl` where there is one.
@Suite(.serialized, .timeLimit(.minutes(1))) struct TLSPeerTests {
    let loop: EventLoop
    let files: TLSFiles

    init() throws {
        loop = try .onOwnThread()
        files = try TLSFiles.shared.get()
    }

    private func switches(_ certificate: String, _ version: TLSVersion) -> [String] {
        [
            "-cert", files.path("\(certificate).crt"), "-key", files.path("\(certificate).key"),
            "-CAfile", files.path("ca.crt"), version == .tls12 ? "-tls1_2" : "-tls1_3",
        ]
    }

    /// The port that a program says it listens on.
    private func port(_ process: ChildProcess, after text: String) async throws -> UInt16 {
        let line = try await offload { try process.line(containing: text) }
        let digits = line.split { !$0.isNumber }.last
        return try #require(digits.flatMap { UInt16($0) })
    }

    /// A server of ours that sends back what it gets.
    private func echoServer(_ certificate: String = "node") async throws -> (TLSEndpoint, UInt16) {
        let context = try TLSContext(files.configuration(certificate), role: .server)
        let server = TLSEndpoint(loop: loop)
        let loop = loop
        let address = try await server.listen { tcp in
            guard let stream = try? TLSStream(accepting: tcp, context, on: loop) else { return }
            server.assumeIsolated { $0.adopt(stream, echo: true) }
        }
        return (server, address.port)
    }

    private func client(
        to port: UInt16, _ certificate: String? = "node", sending: String = "abc\n"
    ) async throws -> TLSEndpoint {
        let client = TLSEndpoint(loop: loop)
        try await client.connect(
            to: .loopback(port: port),
            try TLSContext(files.configuration(certificate), role: .client),
            sending: Array(sending.utf8))
        return client
    }

    // MARK: openssl

    private func openssl(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess("openssl", arguments, input: .pipe, output: .pipe)
    }

    @Test(arguments: TLSVersion.allCases)
    func `openssl s_server takes our certificate and answers`(version: TLSVersion) async throws {
        let peer = try openssl(
            [
                "s_server", "-accept", "127.0.0.1:0", "-Verify", "1", "-rev",
                "-verify_return_error",
            ]
                + switches("renewed", version))
        let client = try await client(to: try await port(peer, after: "ACCEPT"))
        #expect(await client.bytes(count: 4) == Array("cba\n".utf8))
        #expect(await client.session?.version == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(await client.session?.peerCertificate?.subject == "renewed")
        await client.close()
        loop.stop()
    }

    @Test(arguments: TLSVersion.allCases)
    func `openssl s_server says why it refuses us`(version: TLSVersion) async throws {
        let peer = try openssl(
            [
                "s_server", "-accept", "127.0.0.1:0", "-Verify", "1",
                "-verify_return_error",
            ]
                + switches("node", version))
        let address = try await port(peer, after: "ACCEPT")
        let expired = try await client(to: address, "expired")
        #expect(await expired.ended() == .tls(.refusedByPeer(TLSAlert(code: 45))))
        let none = try await client(to: address, nil)
        let code: UInt8 = version == .tls12 ? 40 : 116
        #expect(await none.ended() == .tls(.refusedWithoutCertificate(TLSAlert(code: code))))
        loop.stop()
    }

    @Test(arguments: TLSVersion.allCases)
    func `openssl s_client is answered, and not renegotiated with`(version: TLSVersion) async throws
    {
        let (server, port) = try await echoServer()
        let peer = try openssl(
            [
                "s_client", "-connect", "127.0.0.1:\(port)", "-verify_return_error",
                "-verify_hostname", "node",
            ] + switches("renewed", version))
        try peer.write("hello\n")
        _ = try await offload { try peer.line(containing: "hello") }
        #expect(await server.session?.peerCertificate?.subject == "renewed")
        #expect(await server.bytes(count: 6) == Array("hello\n".utf8))
        if version == .tls12 {
            try peer.write("R\n")
            _ = try await offload { try peer.line(containing: "RENEGOTIATING") }
            // OpenSSL's client gives up when its renegotiation is refused.
            #expect(await server.ended() != nil)
            #expect(await server.count == 6)
        }
        loop.stop()
    }

    @Test func `openssl s_client without a certificate is refused`() async throws {
        let (server, port) = try await echoServer()
        let peer = try openssl([
            "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", files.path("ca.crt"),
        ])
        _ = try await offload { try peer.line(containing: "certificate required") }
        #expect(await server.ended() == .tls(.missingCertificate))
        loop.stop()
    }

    // MARK: Erlang

    /// What both Erlang programs begin with: the options, as `inet_tls.conf` has them.
    private func erlang(
        _ certificate: String, _ version: TLSVersion, _ rest: String
    ) throws -> ChildProcess {
        let options = """
            {ok, _} = application:ensure_all_started(ssl), logger:set_primary_config(level, none), \
            O = [{certfile, "\(files.path(certificate)).crt"}, {keyfile, "\(files.path(certificate)).key"}, \
            {cacertfile, "\(files.path("ca")).crt"}, {verify, verify_peer}, {active, false}, \
            {mode, binary}, {versions, ['\(version == .tls12 ? "tlsv1.2" : "tlsv1.3")']}],
            """
        return try ChildProcess(
            "erl", ["-noshell", "-eval", options + rest + ", halt()."], input: .pipe, output: .pipe)
    }

    private static let hasErlang =
        (try? ChildProcess.run("erl", ["-noinput", "-eval", "ssl:module_info(), halt()."])) != nil

    @Test(.enabled(if: hasErlang), arguments: TLSVersion.allCases)
    func `an Erlang server takes our certificate and answers`(version: TLSVersion) async throws {
        let peer = try erlang(
            "renewed", version,
            """
            {ok, L} = ssl:listen(0, [{fail_if_no_peer_cert, true} | O]),
            {ok, {_, P}} = ssl:sockname(L), io:format("port ~p~n", [P]),
            F = fun F() ->
                {ok, T} = ssl:transport_accept(L),
                case ssl:handshake(T, 5000) of
                    {ok, S} ->
                        {ok, B} = ssl:recv(S, 4), ok = ssl:send(S, [B, B]), ssl:close(S);
                    {error, E} -> io:format("refused ~0tp~n", [E])
                end, F() end, F()
            """)
        let port = try await port(peer, after: "port")
        let client = try await client(to: port)
        #expect(await client.bytes(count: 8) == Array("abc\nabc\n".utf8))
        #expect(await client.ended() == .closedByPeer)
        #expect(await client.session?.version == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))

        let expired = try await self.client(to: port, "expired")
        #expect(await expired.ended() == .tls(.refusedByPeer(TLSAlert(code: 45))))
        let stranger = try await self.client(to: port, "stranger")
        #expect(await stranger.ended() == .tls(.refusedByPeer(TLSAlert(code: 48))))
        loop.stop()
    }

    @Test(.enabled(if: hasErlang), arguments: TLSVersion.allCases)
    func `an Erlang client is answered, and refuses another host's certificate`(
        version: TLSVersion
    ) async throws {
        let (server, port) = try await echoServer()
        let (stranger, strangerPort) = try await echoServer("elsewhere")
        let peer = try erlang(
            "renewed", version,
            """
            C = fun(P) -> ssl:connect({127,0,0,1}, P, [{server_name_indication, "node"} | O], 5000) end,
            {ok, S} = C(\(port)), ok = ssl:send(S, "hello"), {ok, B} = ssl:recv(S, 5),
            io:format("got ~s~n", [B]), ssl:close(S),
            {error, E} = C(\(strangerPort)), io:format("refused ~0tp~n", [E])
            """)
        _ = try await offload { try peer.line(containing: "got hello") }
        #expect(await server.ended() == .closedByPeer)
        #expect(await server.session?.peerCertificate?.subject == "renewed")
        let refusal = try await offload { try peer.line(containing: "refused") }
        #expect(refusal.contains("hostname_check_failed"))
        guard case .tls(.refusedByPeer) = await stranger.ended() else {
            Issue.record("\(String(describing: await stranger.ended()))")
            return
        }
        loop.stop()
    }
}
