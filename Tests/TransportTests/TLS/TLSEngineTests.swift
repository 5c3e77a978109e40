import Testing

@testable import Transport

extension TLSEngine {
    /// Everything that these bytes meant.
    func received(_ bytes: [UInt8]) -> (plaintext: [UInt8], step: Step) {
        var scratch = [UInt8](repeating: 0, count: 20_000)
        var plaintext: [UInt8] = []
        let step = bytes.withUnsafeBytes { bytes in
            scratch.withUnsafeMutableBytes { scratch in
                var rest = bytes
                var result = Step()
                while true {
                    let step = receive(&rest, into: scratch)
                    plaintext += scratch[..<step.plaintextByteCount]
                    result.hasFinishedHandshake =
                        result.hasFinishedHandshake || step.hasFinishedHandshake
                    result.status = step.status
                    if step.status != .bufferFull { return result }
                }
            }
        }
        return (plaintext, step)
    }

    func encrypt(_ bytes: [UInt8]) -> TLSError? {
        bytes.withUnsafeBytes { encrypt($0) }
    }
}

/// A client and a server with nothing between them.
struct EnginePair {
    let client: TLSEngine
    let server: TLSEngine
    var clientError: TLSError?
    var serverError: TLSError?
    /// Whether the client had finished when it was refused.
    var clientHadFinished = false

    init(
        client: TLSConfiguration, server: TLSConfiguration, host: String = "node"
    ) throws {
        self.client = try TLSContext(client, role: .client).makeEngine(host: host)
        self.server = try TLSContext(server, role: .server).makeEngine()
    }

    /// Carries bytes both ways, in pieces, until nothing is left.
    mutating func shakeHands(pieces: Int = .max) {
        clientError = client.start()
        while true {
            let toServer = client.takeOutgoing()
            let toClient = server.takeOutgoing()
            if toServer.isEmpty, toClient.isEmpty { return }
            for piece in Self.pieces(toServer, pieces) {
                if case .failed(let error) = server.received(piece).step.status {
                    serverError = error
                }
            }
            for piece in Self.pieces(toClient, pieces) {
                let hadFinished = client.isHandshakeFinished
                if case .failed(let error) = client.received(piece).step.status {
                    clientError = error
                    clientHadFinished = hadFinished
                }
            }
        }
    }

    static func pieces(_ bytes: [UInt8], _ size: Int) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            pieces.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pieces
    }
}

@Suite struct TLSEngineTests {
    let files: TLSFiles

    init() throws {
        files = try TLSFiles.shared.get()
    }

    private func errors(
        client: String? = "node", server: String = "node", host: String = "node",
        _ version: TLSVersion = .tls13
    ) throws -> EnginePair {
        var pair = try EnginePair(
            client: files.configuration(client, versions: version...version),
            server: files.configuration(server, versions: version...version), host: host)
        pair.shakeHands()
        return pair
    }

    @Test(arguments: TLSVersion.allCases, [1, 2, 3, 5, 16, 100, 1500, Int.max])
    func `both sides authenticate each other, however the bytes are split`(
        version: TLSVersion, size: Int
    ) throws {
        var pair = try EnginePair(
            client: files.configuration("node", versions: version...version),
            server: files.configuration("renewed", versions: version...version))
        pair.shakeHands(pieces: size)
        #expect(pair.clientError == nil)
        #expect(pair.serverError == nil)
        #expect(pair.client.session.version == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(pair.client.session.cipher == pair.server.session.cipher)
        #expect(pair.client.session.peerCertificate?.subject == "renewed")
        let seen = try #require(pair.server.session.peerCertificate)
        #expect(seen.subject == "node")
        #expect(seen.issuer == "test CA")
        #expect(seen.alternativeNames == ["node", "localhost", "127.0.0.1"])

        let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for (from, to) in [(pair.client, pair.server), (pair.server, pair.client)] {
            #expect(from.encrypt(bytes) == nil)
            var arrived: [UInt8] = []
            for piece in EnginePair.pieces(from.takeOutgoing(), size) {
                arrived += to.received(piece).plaintext
            }
            #expect(arrived == bytes)
        }
    }

    @Test func `the newer version is chosen when both know it`() throws {
        var pair = try EnginePair(
            client: files.configuration("node"), server: files.configuration("node"))
        pair.shakeHands()
        #expect(pair.server.session.version == "TLSv1.3")
        #expect(pair.server.isHandshakeFinished)
    }

    // MARK: Refusals

    @Test(arguments: TLSVersion.allCases)
    func `an expired server is refused, and told`(version: TLSVersion) throws {
        let pair = try errors(server: "expired", version)
        guard case .certificateRefused(.expired(let date), "expired") = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
        #expect(date.hasSuffix(" UTC"))
        #expect(pair.serverError == .refusedByPeer(TLSAlert(code: 45)))
        #expect(
            pair.serverError?.description
                == "the peer refused our certificate: it has expired or is not valid yet"
                + " (certificate_expired)")
    }

    @Test(arguments: TLSVersion.allCases)
    func `an expired client is refused, and told: in TLS 1.3 only after it had finished`(
        version: TLSVersion
    ) throws {
        let pair = try errors(client: "expired", version)
        guard case .certificateRefused(.expired, "expired") = pair.serverError else {
            Issue.record("\(String(describing: pair.serverError))")
            return
        }
        #expect(pair.clientError == .refusedByPeer(TLSAlert(code: 45)))
        #expect(pair.clientHadFinished == (version == .tls13))
    }

    @Test func `a certificate that is not valid yet says from when it is`() throws {
        let pair = try errors(server: "early")
        #expect(
            pair.clientError
                == .certificateRefused(
                    .notYetValid(until: "2099-01-01 00:00:00 UTC"), subject: "early"))
    }

    @Test(arguments: TLSVersion.allCases)
    func `a certificate of an unknown CA is refused on either side`(version: TLSVersion) throws {
        let refusal = TLSError.certificateRefused(
            .unknownAuthority(issuer: "another CA"), subject: "stranger")
        let server = try errors(server: "stranger", version)
        #expect(server.clientError == refusal)
        #expect(server.serverError == .refusedByPeer(TLSAlert(code: 48)))
        let client = try errors(client: "stranger", version)
        #expect(client.serverError == refusal)
        #expect(client.clientError == .refusedByPeer(TLSAlert(code: 48)))
    }

    @Test func `a CA of the same name but with another key is not trusted`() throws {
        #expect(
            try errors(server: "impostor").clientError
                == .certificateRefused(.unknownAuthority(issuer: "test CA"), subject: "impostor"))
        #expect(
            try errors(server: "forged").clientError
                == .certificateRefused(.invalidSignature(issuer: "test CA"), subject: "forged"))
    }

    @Test func `a self-signed certificate is refused as such`() throws {
        #expect(
            try errors(server: "selfsigned").clientError
                == .certificateRefused(.selfSigned, subject: "selfsigned"))
    }

    @Test func `another host's certificate is refused with both names`() throws {
        let pair = try errors(server: "elsewhere")
        let error = TLSError.certificateRefused(
            .nameMismatch(expected: "node", found: ["elsewhere", "farther"]), subject: "elsewhere")
        #expect(pair.clientError == error)
        #expect(
            error.description
                == "the certificate of the peer (elsewhere) was refused: it is for elsewhere,"
                + " farther, not for node")
    }

    @Test func `an address is looked for among the addresses`() throws {
        #expect(try errors(host: "127.0.0.1").clientError == nil)
        #expect(
            try errors(host: "127.0.0.2").clientError
                == .certificateRefused(
                    .nameMismatch(
                        expected: "127.0.0.2", found: ["node", "localhost", "127.0.0.1"]),
                    subject: "node"))
    }

    @Test func `without other names the common name counts`() throws {
        #expect(try errors(server: "nameless", host: "nameless").clientError == nil)
        #expect(
            try errors(server: "nameless").clientError
                == .certificateRefused(
                    .nameMismatch(expected: "node", found: ["nameless"]), subject: "nameless"))
    }

    @Test func `no name is checked when that is switched off, and another one when it is given`()
        throws
    {
        var client = files.configuration("node")
        client.serverName = .unchecked
        var pair = try EnginePair(client: client, server: files.configuration("elsewhere"))
        pair.shakeHands()
        #expect(pair.clientError == nil)
        client.serverName = .fixed("farther")
        pair = try EnginePair(client: client, server: files.configuration("elsewhere"))
        pair.shakeHands()
        #expect(pair.clientError == nil)
        #expect(pair.client.isHandshakeFinished)
    }

    @Test(arguments: TLSVersion.allCases)
    func `a client without a certificate is refused, and told`(version: TLSVersion) throws {
        let pair = try errors(client: nil, version)
        #expect(pair.serverError == .missingCertificate)
        #expect(
            pair.clientError
                == .refusedWithoutCertificate(TLSAlert(code: version == .tls12 ? 40 : 116)))
    }

    @Test func `a client without a certificate is let in where that is allowed`() throws {
        var server = files.configuration("node")
        server.requiresPeerCertificate = false
        var pair = try EnginePair(client: files.configuration(nil), server: server)
        pair.shakeHands()
        #expect(pair.serverError == nil)
        #expect(pair.server.session.peerCertificate == nil)
    }

    @Test func `a certificate for servers only is none for a client`() throws {
        #expect(try errors(server: "serveronly").clientError == nil)
        #expect(
            try errors(client: "serveronly").serverError
                == .certificateRefused(.wrongPurpose, subject: "serveronly"))
    }

    @Test func `intermediate certificates are sent, and counted`() throws {
        #expect(try errors(server: "far").clientError == nil)
        var client = files.configuration("node")
        client.maximumDepth = 0
        var pair = try EnginePair(client: client, server: files.configuration("far"))
        pair.shakeHands()
        guard case .certificateRefused(.chainTooLong, _) = pair.clientError else {
            Issue.record("\(String(describing: pair.clientError))")
            return
        }
    }

    @Test func `without a version in common both sides say so`() throws {
        var pair = try EnginePair(
            client: files.configuration("node", versions: .tls13 ... .tls13),
            server: files.configuration("node", versions: .tls12 ... .tls12))
        pair.shakeHands()
        #expect(pair.serverError == .nothingInCommon(.version))
        #expect(pair.clientError == .refusedByPeer(TLSAlert(code: 70)))
    }

    @Test func `without a cipher in common both sides say so`() throws {
        var client = files.configuration("node", versions: .tls12 ... .tls12)
        var server = client
        client.ciphers = ["ECDHE-ECDSA-AES128-GCM-SHA256"]
        server.ciphers = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
        var pair = try EnginePair(client: client, server: server)
        pair.shakeHands()
        #expect(pair.serverError == .nothingInCommon(.cipher))
        #expect(pair.clientError == .refusedByPeer(TLSAlert(code: 40)))
    }

    @Test(arguments: [
        (Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), TLSError.PlainProtocol.http),
        (
            [0, 21, 78, 0, 0, 0, 4, 3, 7, 15, 148, 1, 2, 3, 4, 0, 3, 97, 64, 98],
            .erlangDistribution
        ),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], .unknown),
    ])
    func `whoever speaks something else is told apart`(
        bytes: [UInt8], plain: TLSError.PlainProtocol
    ) throws {
        let server = try TLSContext(files.configuration("node"), role: .server).makeEngine()
        #expect(server.received(bytes).step.status == .failed(.notTLS(plain)))
        let client = try TLSContext(files.configuration("node"), role: .client)
            .makeEngine(host: "node")
        #expect(client.start() == nil)
        #expect(client.received(bytes).step.status == .failed(.notTLS(plain)))
    }

    // MARK: Ends

    @Test(arguments: TLSVersion.allCases)
    func `an orderly end is told from a cut`(version: TLSVersion) throws {
        var pair = try errors(version)
        #expect(pair.client.encrypt([1, 2, 3]) == nil)
        pair.client.shutdown()
        let (plaintext, step) = pair.server.received(pair.client.takeOutgoing())
        #expect(plaintext == [1, 2, 3])
        #expect(step.status == .closed)
        #expect(pair.server.connectionClosed() == nil)
        #expect(pair.client.encrypt([4]) == nil)
        #expect(pair.client.takeOutgoing().isEmpty)

        pair = try errors(version)
        #expect(pair.server.connectionClosed() == .closedWithoutNotice)
        let early = try TLSContext(files.configuration("node"), role: .server).makeEngine()
        #expect(early.connectionClosed() == .closedDuringHandshake)
    }

    @Test func `an altered record ends the connection`() throws {
        let pair = try errors()
        #expect(pair.client.encrypt([1, 2, 3]) == nil)
        var record = pair.client.takeOutgoing()
        record[record.count - 1] ^= 1
        guard case .failed(.protocolViolation) = pair.server.received(record).step.status else {
            Issue.record("An altered record was taken")
            return
        }
        #expect(pair.server.received([1, 2, 3]).step == TLSEngine.Step())
        #expect(pair.server.encrypt([1]) == nil)
    }

    @Test func `random bytes end in an error or wait for more, and never trap`() throws {
        let serverContext = try TLSContext(files.configuration("node"), role: .server)
        let clientContext = try TLSContext(files.configuration("node"), role: .client)
        var random = SystemRandomNumberGenerator()
        for round in 0..<400 {
            let engine =
                round.isMultiple(of: 2)
                ? try serverContext.makeEngine() : try clientContext.makeEngine(host: "node")
            _ = engine.start()
            var bytes = (0..<Int.random(in: 1...600)).map { _ in UInt8.random(in: 0...255) }
            // Most get as far as the handshake messages.
            if round % 4 < 3 {
                let length = UInt16.random(in: 0...700)
                bytes.replaceSubrange(
                    0..<min(5, bytes.count),
                    with: [
                        [20, 21, 22, 23].randomElement(using: &random) ?? 22, 3, 3,
                        UInt8(length >> 8), UInt8(length & 255),
                    ])
            }
            for piece in EnginePair.pieces(bytes, Int.random(in: 1...600)) {
                #expect(engine.received(piece).plaintext.isEmpty)
            }
            _ = engine.takeOutgoing()
            #expect(!engine.isHandshakeFinished)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `a handshake with a byte changed fails or succeeds, and never traps`(version: TLSVersion)
        throws
    {
        let configuration = files.configuration("node", versions: version...version)
        let serverContext = try TLSContext(configuration, role: .server)
        let clientContext = try TLSContext(configuration, role: .client)
        for _ in 0..<150 {
            let client = try clientContext.makeEngine(host: "node")
            let server = try serverContext.makeEngine()
            _ = client.start()
            var flips = 1
            for _ in 0..<6 {
                for (from, to) in [(client, server), (server, client)] {
                    var bytes = from.takeOutgoing()
                    if flips > 0, !bytes.isEmpty, Bool.random() {
                        flips -= 1
                        bytes[Int.random(in: 0..<bytes.count)] ^= UInt8.random(in: 1...255)
                    }
                    _ = to.received(bytes)
                }
            }
            _ = client.session
            _ = server.session
        }
    }
}
