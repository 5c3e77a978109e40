import ExternalTermFormat
import Glibc
import Testing
import Transport

@testable import ErlDist

@Suite struct TLSOptionsTests {
    private let server = """
        {server, [{certfile, "s.crt"}, {keyfile, "s.key"}, {cacertfile, "ca.crt"}]}
        """
    private let client = """
        {client, [{certfile, "c.crt"}, {keyfile, "c.key"}, {cacertfile, "ca.crt"}]}
        """

    private func read(_ text: String) throws(TLSOptionError) -> DistributionTLSOptions {
        try DistributionTLSOptions(text: text, file: "tls.conf")
    }

    /// With these options added to the client's on a line of their own.
    private func reading(client options: String) throws(TLSOptionError) -> TLSConfiguration {
        try read(
            """
            [\(server),
             {client, [{cacertfile, "ca.crt"},
               \(options)]}].
            """
        ).client
    }

    private func error(_ text: String) -> String? {
        do throws(TLSOptionError) {
            _ = try read(text)
            return nil
        } catch {
            return error.description
        }
    }

    private func clientError(_ options: String) -> String? {
        do throws(TLSOptionError) {
            _ = try reading(client: options)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `the file of Deployex's walk-through is read as it stands`() throws {
        let options = try read(
            """
            [
              {server, [
                {certfile, "/tmp/deployex.crt"},
                {keyfile, "/tmp/deployex.key"},
                {cacertfile, "/tmp/ca.crt"},
                {verify, verify_peer},
                {secure_renegotiate, true}
              ]},
              {client, [
                {certfile, "/tmp/deployex.crt"},
                {keyfile, "/tmp/deployex.key"},
                {cacertfile, "/tmp/ca.crt"},
                {verify, verify_peer},
                {secure_renegotiate, true},
                {server_name_indication, disable}
              ]}
            ].
            """)
        var expected = TLSConfiguration()
        expected.certificateFile = "/tmp/deployex.crt"
        expected.keyFile = "/tmp/deployex.key"
        expected.authorities = .files(["/tmp/ca.crt"])
        #expect(options.server == expected)
        expected.serverName = .unchecked
        #expect(options.client == expected)
        #expect(options.isMutual)
    }

    @Test func `every option that is supported is taken over`() throws {
        let options = try read(
            """
            %% -*- erlang -*-
            [{server, [{certfile, <<"s.pem">>}, {password, "sesame"}, {verify, verify_none},
                       {fail_if_no_peer_cert, false}, {honor_cipher_order, false}, {depth, 2},
                       {versions, ['tlsv1.2', 'tlsv1.3']}, {ktls, true}, {reuse_sessions, save},
                       {client_renegotiation, false}, {session_tickets, disabled},
                       {hibernate_after, 5000}, {log_level, none}, {crl_check, false}]},
             {client, [{cacertfile, "ca.crt"}, {versions, ['tlsv1.3']},
                       {server_name_indication, "other"}]}].
            """)
        var server = TLSConfiguration()
        server.certificateFile = "s.pem"
        server.keyPassword = "sesame"
        server.verifiesPeer = false
        server.requiresPeerCertificate = false
        server.prefersOwnCipherOrder = false
        server.maximumDepth = 2
        #expect(options.server == server)
        var client = TLSConfiguration()
        client.authorities = .files(["ca.crt"])
        client.versions = .tls13 ... .tls13
        client.serverName = .fixed("other")
        #expect(options.client == client)
        #expect(!options.isMutual)
    }

    @Test func `ciphers come as names, as maps and as one string`() throws {
        let expected = [
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        ]
        let mixed = try reading(
            client: """
                {ciphers, [
                  #{key_exchange => ecdhe_ecdsa, cipher => aes_128_gcm, mac => aead, prf => sha256},
                  "ECDHE-ECDSA-AES256-GCM-SHA384",
                  #{key_exchange => ecdhe_rsa, cipher => aes_128_cbc, mac => sha, prf => default_prf},
                  #{key_exchange => ecdhe_ecdsa, cipher => aes_128_ccm_8, mac => aead, prf => sha256},
                  #{key_exchange => any, cipher => chacha20_poly1305, mac => aead, prf => sha256},
                  "TLS_AES_256_GCM_SHA384"]}
                """)
        #expect(mixed.ciphers == expected)
        #expect(mixed.suites == ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"])
        #expect(mixed.versions == .tls12 ... .tls13)
        let text = try reading(client: "{ciphers, \"\(expected.joined(separator: ":"))\"}")
        #expect(text.ciphers == expected)
        #expect(text.suites == nil)
    }

    @Test(arguments: [
        ("true", RevocationCheck.Scope.chain), ("peer", .peer), ("best_effort", .bestEffort),
    ])
    func `revocation lists come from the folder that crl_cache names`(
        check: String, scope: RevocationCheck.Scope
    ) throws {
        let cache = #"{crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "/etc/crls"}]}}}"#
        #expect(
            try reading(client: "{crl_check, \(check)}, \(cache)").revocation
                == RevocationCheck(scope: scope, folder: "/etc/crls"))
        #expect(try reading(client: "{crl_check, false}, \(cache)").revocation == nil)
        #expect(try reading(client: cache).revocation == nil)
    }

    @Test func `a version without a cipher is not spoken`() throws {
        #expect(
            try reading(client: #"{ciphers, ["ECDHE-ECDSA-AES128-GCM-SHA256"]}"#).versions
                == .tls12 ... .tls12)
        #expect(
            try reading(client: #"{ciphers, ["TLS_AES_128_GCM_SHA256"]}"#).versions
                == .tls13 ... .tls13)
        #expect(
            clientError(#"{versions, ['tlsv1.2']}, {ciphers, ["TLS_AES_128_GCM_SHA256"]}"#)
                == "tls.conf:3: client option ciphers: needs a cipher of one of the versions as well"
        )
    }

    @Test(arguments: [
        (
            "{verify_fun, {m, f, 1}}",
            "verify_fun: is not supported: chain, host name and key usage are"
                + " always checked by verify_peer"
        ),
        ("{signature_algs, []}", "signature_algs: is not supported"),
        ("{cacerts, []}", "cacerts: is not supported: use cacertfile"),
        (
            "{client_renegotiation, true}",
            "client_renegotiation: is not supported: only false is,"
                + " nothing is renegotiated"
        ),
        ("{verify, always}", "verify: expected verify_peer or verify_none, not always"),
        (
            "{versions, ['tlsv1.1']}",
            "versions: expected a list of 'tlsv1.2' and 'tlsv1.3', not 'tlsv1.1'"
        ),
        ("{versions, []}", "versions: expected a list of 'tlsv1.2' and 'tlsv1.3', not []"),
        ("{depth, -1}", "depth: expected a number from 0 to 255, not -1"),
        ("{keyfile, 5}", "keyfile: expected the name of a file, not 5"),
        ("{keyfile, \"k\"}", "keyfile: needs certfile as well"),
        ("{password, #{}}", "password: expected a string"),
        (
            "{fail_if_no_peer_cert, true}",
            "fail_if_no_peer_cert: belongs to the server section only"
        ),
        (
            "{server_name_indication, true}",
            "server_name_indication: expected disable or a host name,"
                + " not true"
        ),
        (
            "{ciphers, [{a, b, c}]}",
            "ciphers: expected the name of a cipher, or its map, not {a,b,c}"
        ),
        ("{ciphers, \"A:!B\"}", "ciphers: expected the name of a cipher, not \"!B\""),
        ("{depth, 1},\n {depth, 2}", "depth: is given twice"),
        (
            "{crl_check, true}",
            "crl_check: needs {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, \"FOLDER\"}]}}} as well"
        ),
        ("{crl_check, always}", "crl_check: expected true, peer, best_effort or false, not always"),
        (
            "{crl_cache, {ssl_crl_cache, {internal, []}}}",
            "crl_cache: is not supported: use {ssl_crl_hash_dir, {internal, [{dir, \"FOLDER\"}]}}"
        ),
        (
            "{crl_cache, {ssl_crl_hash_dir, {internal, []}}}",
            "crl_cache: expected {ssl_crl_hash_dir, {internal, [{dir, \"FOLDER\"}]}}, not"
                + " {ssl_crl_hash_dir,{internal,[]}}"
        ),
    ])
    func `an option that cannot be taken over is refused with its line`(
        option: String, message: String
    ) {
        let line = option.contains("\n") ? 4 : 3
        #expect(clientError(option) == "tls.conf:\(line): client option \(message)")
    }

    @Test func `what is no option is refused without showing it`() {
        #expect(
            clientError("inet6")
                == "tls.conf:2: client section: expected {Option, Value}, not inet6")
        #expect(
            clientError("{password, \"secret\", 1}")
                == "tls.conf:2: client section: expected {Option, Value}, not another term")
    }

    @Test func `what must stand together does`() {
        #expect(
            error("[{server, [{certfile, \"s\"}, {verify, verify_peer}]}, \(client)].")
                == "tls.conf:1: server option verify: needs cacertfile as well")
        #expect(
            error("[\n{server, [{certfile, \"s\"}]}, \(client)].")
                == "tls.conf:2: server section: needs cacertfile as well")
        #expect(
            error("[{server, [{cacertfile, \"s\"}]}, \(client)].")
                == "tls.conf:1: server section: needs certfile as well")
        #expect(
            error(
                """
                [{server, [{certfile, "s"}, {verify, verify_none}, {fail_if_no_peer_cert, true}]},
                 \(client)].
                """)
                == "tls.conf:1: server option fail_if_no_peer_cert: needs {verify, verify_peer} as well"
        )
    }

    @Test func `the file is one list of both sections`() {
        let wanted = "tls.conf: expected [{server, [...]}, {client, [...]}]. and nothing else"
        #expect(error("") == wanted)
        #expect(error("\(server).") == wanted)
        #expect(error("[\(server)]. [\(client)].") == wanted)
        #expect(error("[\(server)].") == "tls.conf: client section: it is missing")
        #expect(error("[\(client)].") == "tls.conf: server section: it is missing")
        #expect(
            error("[\(server), \(client),\n \(client)].")
                == "tls.conf:1: client section: there are two of it")
        #expect(
            error("[\(server), {peer, []}].")
                == "tls.conf: expected {server, [...]} or {client, [...]}, not {peer,[]}")
    }

    @Test func `a mistake in the syntax has its place`() {
        #expect(
            error("[{server, [}]}].")
                == "tls.conf:1: column 12: found } where a term was wanted")
    }

    @Test func `quotes, comments and characters do not lead the lines astray`() {
        let lines = TLSOptionLines(
            """
            %% {server, comment
            [{'server', [{password, "{client, \\" {depth,"}, {a, $"}, {b, $\\{},
              { %% {verify
                verify , verify_peer}]},
             {client, [{verify, x}, {'verify', y},
                 {verify, z}]}].
            """)
        #expect(lines.line(in: .server) == 2)
        #expect(lines.line(of: "depth", in: .server) == nil)
        #expect(lines.line(of: "verify", in: .server) == 4)
        #expect(lines.line(in: .client) == 5)
        #expect(lines.line(of: "verify", occurrence: 2, in: .client) == 6)
        #expect(lines.line(of: "verify", occurrence: 3, in: .client) == nil)
    }

    @Test func `any text ends in an error or in options, never in a trap`() throws {
        let pieces = [
            "[", "]", "{", "}", ",", ".", "server", "client", "verify", "\"", "'", "$", "\\", "%",
            "\n",
            "#{", "=>", "1", "ciphers", "<<", ">>", "versions", "é", "\0",
        ]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0...30)).map { _ in pieces.randomElement() ?? "" }
                .joined()
            _ = error(text)
            _ = TLSOptionLines(text)
            _ = clientError(text)
        }
    }

    @Test func `files that cannot be loaded are named with the options that name them`() {
        #expect(
            throws: TLSOptionError(
                file: "/no/such.conf", .unreadable("no such file or directory"))
        ) { try DistributionTLS(optionsFile: "/no/such.conf") }
        let error = #expect(throws: TLSOptionError.self) {
            try DistributionTLS(
                try read("[\(server), \(client)].".replacing("ca.crt", with: "/absent")),
                file: "tls.conf")
        }
        #expect(
            error?.description
                == "tls.conf: server section: the CA file /absent cannot be read: no such file or directory"
        )
    }
}
