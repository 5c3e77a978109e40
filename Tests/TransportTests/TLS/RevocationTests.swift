import Glibc
import TestKit
import Testing

@testable import Transport

/// Certificates that their authority has taken back.
@Suite struct RevocationTests {
    let files: TLSFiles

    init() throws {
        files = try TLSFiles.shared.get()
    }

    private func server(
        _ scope: RevocationCheck.Scope, _ folder: String, _ version: TLSVersion = .tls13
    ) -> TLSConfiguration {
        var configuration = files.configuration("node", versions: version...version)
        configuration.revocation = RevocationCheck(scope: scope, folder: files.path(folder))
        return configuration
    }

    /// Why the server refuses a client with that certificate.
    private func refusal(
        of client: String, _ server: TLSConfiguration
    ) throws -> TLSCertificateProblem? {
        var pair = try EnginePair(client: files.configuration(client), server: server)
        pair.shakeHands()
        guard case .certificateRefused(let problem, _)? = pair.serverError else {
            #expect(pair.serverError == nil)
            return nil
        }
        return problem
    }

    @Test(
        arguments: [RevocationCheck.Scope.peer, .chain, .bestEffort], TLSVersion.allCases)
    func `a revoked certificate is refused, another one of the same authority is not`(
        scope: RevocationCheck.Scope, version: TLSVersion
    ) throws {
        let server = server(scope, "crls", version)
        #expect(try refusal(of: "revoked", server) == .revoked(by: "test CA"))
        #expect(try refusal(of: "node", server) == nil)
        #expect(
            TLSCertificateProblem.revoked(by: "test CA").description
                == "it has been revoked by its CA (test CA)")
    }

    @Test func `a client refuses a revoked server as well`() throws {
        var client = files.configuration("node")
        client.revocation = RevocationCheck(scope: .peer, folder: files.path("crls"))
        var pair = try EnginePair(client: client, server: files.configuration("revoked"))
        pair.shakeHands()
        #expect(
            pair.clientError
                == .certificateRefused(.revoked(by: "test CA"), subject: "revoked"))
    }

    @Test
    func `without a list that is in date nobody is let in, unless only the best is asked for`()
        throws
    {
        for scope in [RevocationCheck.Scope.peer, .chain] {
            #expect(
                try refusal(of: "node", server(scope, "empty"))
                    == .missingRevocations(of: "test CA"))
            #expect(
                try refusal(of: "node", server(scope, "old"))
                    == .outdatedRevocations(of: "test CA"))
        }
        #expect(try refusal(of: "node", server(.bestEffort, "empty")) == nil)
        #expect(try refusal(of: "node", server(.bestEffort, "old")) == nil)
        // What an old list says holds for ever.
        #expect(
            try refusal(of: "revoked", server(.bestEffort, "old")) == .revoked(by: "test CA"))
    }

    @Test func `a list that comes later is used for new connections`() async throws {
        try ChildProcess.run("mkdir", [files.path("later")])
        let context = try TLSContext(server(.bestEffort, "later"), role: .server)
        func refuses() async throws -> Bool {
            await context.look()
            let client = try TLSContext(files.configuration("revoked"), role: .client)
                .makeEngine(host: "node")
            let server = try context.makeEngine()
            _ = client.start()
            _ = server.received(client.takeOutgoing())
            _ = client.received(server.takeOutgoing())
            guard case .failed = server.received(client.takeOutgoing()).step.status else {
                return false
            }
            return true
        }
        #expect(try await !refuses())
        let copy = "cp \(files.path("crls"))/*.r0 \(files.path("later"))/"
        try ChildProcess.run("sh", ["-ec", copy])
        #expect(try await refuses())
    }

    @Test func `a folder that is none, and a list that is none, are refused by name`() throws {
        #expect(
            throws: TLSConfigurationError.unreadable(
                .revocations, path: files.path("absent"), reason: "no such file or directory")
        ) { try TLSContext(server(.peer, "absent"), role: .server) }
        mkdir(files.path("broken"), 0o755)
        let list = files.path("broken/0123abcd.r0")
        close(open(list, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
        #expect(
            throws: TLSConfigurationError.invalid(
                .revocations, path: list, reason: "it holds no PEM revocation list")
        ) { try TLSContext(server(.peer, "broken"), role: .server) }
        chmod(files.path("broken"), 0o777)
        let error = #expect(throws: TLSConfigurationError.self) {
            try TLSContext(server(.peer, "broken"), role: .server)
        }
        #expect(error?.description.contains("can be written to by everyone") == true)
    }

    @Test func `only names of lists are read`() {
        for name in ["0123abcd.r0", "ABCDEF01.r12"] { #expect(RevocationCheck.isListName(name)) }
        for name in ["ca.crl", "0123abcd.0", "0123abcd.r", "0123abc.r0", "0123abcg.r0", ".r0"] {
            #expect(!RevocationCheck.isListName(name))
        }
    }

    // MARK: SHA-1

    @Test func `ciphers of TLS 1_2 with SHA-1 are spoken only where they are asked for`() throws {
        var old = files.configuration("node", versions: .tls12 ... .tls12)
        old.ciphers = ["ECDHE-ECDSA-AES128-SHA"]
        let usual = files.configuration("node", versions: .tls12 ... .tls12)
        var pair = try EnginePair(client: old, server: usual)
        pair.shakeHands()
        #expect(pair.serverError == .nothingInCommon(.cipher))
        pair = try EnginePair(client: usual, server: old)
        pair.shakeHands()
        #expect(pair.serverError == .nothingInCommon(.cipher))
        pair = try EnginePair(client: old, server: old)
        pair.shakeHands()
        #expect(pair.server.session.cipher == "ECDHE-ECDSA-AES128-SHA")
        // SHA-256 in CBC mode stays, for what knows nothing newer.
        old.ciphers = ["ECDHE-ECDSA-AES128-SHA256"]
        pair = try EnginePair(client: old, server: usual)
        pair.shakeHands()
        #expect(pair.server.session.cipher == "ECDHE-ECDSA-AES128-SHA256")
    }
}
