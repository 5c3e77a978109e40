internal import COpenSSL

/// The cryptography of one TLS connection: ciphertext goes in and comes out as bytes. It knows no
/// socket. Its only clock is OpenSSL's, which checks the validity of certificates.
///
/// ```
/// start()                     once; a client's first message is outgoing then
/// receive(_:into:)            with whatever came from the peer, until it wants more
/// encrypt(_:)                 once the handshake is finished
/// shutdown()                  says that nothing more will come
/// takeOutgoing()              after each of these: for the peer
/// ```
/// After a failure use only ``takeOutgoing()``: it returns the alert that tells the peer why.
///
/// It is confined to one thread at a time. Source: RFC 8446 and RFC 5246; ssl(7), SSL_get_error(3).
package final class TLSEngine {
    enum Role: Equatable {
        case server
        /// With `nil` no name is sent, and any name is accepted.
        case client(serverName: String?)
    }

    /// The result of a call of ``receive(_:into:)``.
    package struct Step: Equatable {
        package enum Status: Equatable, Sendable {
            /// All input was taken. Wait for more.
            case incomplete
            /// The buffer for plaintext is full. Call again with the rest of the input.
            case bufferFull
            /// The peer has ended its side in an orderly way.
            case closed
            case failed(TLSError)
        }

        /// How many bytes of the buffer were filled. Use them before the status.
        package var plaintextByteCount = 0
        /// Whether the handshake was finished in this call.
        package var hasFinishedHandshake = false
        package var status = Status.incomplete
    }

    private let ssl: OpaquePointer
    private let serverName: String?
    private var hasFailed = false
    package private(set) var isHandshakeFinished = false
    package private(set) var hasReceivedClose = false
    private var hasSentClose = false

    /// The part of ``receive(_:into:)``'s input that OpenSSL has not read. It is empty outside that
    /// call.
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var outgoing: [UInt8] = []
    /// The first bytes that came: they show what a peer without TLS speaks.
    private var firstBytes: [UInt8] = []
    /// The first problem that the check of the peer's certificate found.
    private var refusal: TLSError?
    /// Whether the server has asked for a certificate that we do not have.
    private var lacksCertificate = false

    /// - Parameter context: an `SSL_CTX *`. OpenSSL keeps a reference of its own to it.
    init(_ context: OpaquePointer, _ role: Role) throws(TLSConfigurationError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context) else { throw .refused(OpenSSLError.takeLast()) }
        self.ssl = ssl
        switch role {
        case .server: serverName = nil
        case .client(let name): serverName = name
        }
        guard let bio = EngineBIO.make(Unmanaged.passUnretained(self).toOpaque()) else {
            throw .refused(OpenSSLError.takeLast())
        }
        // This one BIO serves both directions, and the SSL frees it.
        SSL_set_bio(ssl, bio, bio)
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        switch role {
        case .server: SSL_set_accept_state(ssl)
        case .client(let name):
            SSL_set_connect_state(ssl)
            if let name { try setServerName(name) }
        }
    }

    deinit {
        SSL_free(ssl)
    }

    private func setServerName(_ name: String) throws(TLSConfigurationError) {
        guard let parameters = SSL_get0_param(ssl) else {
            throw .refused(OpenSSLError.takeLast())
        }
        if SocketAddress(name, port: 0) != nil {
            // An address is not sent (RFC 6066, section 3), but it is checked, as an address.
            guard X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 else {
                throw .invalidServerName(name)
            }
            return
        }
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard !name.isEmpty, !name.utf8.contains(0), copenssl_set_server_name(ssl, name) == 1,
            X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1
        else {
            ERR_clear_error()
            throw .invalidServerName(name)
        }
    }

    // MARK: Verbs

    /// Begins the handshake.
    /// - Returns: why the handshake cannot even begin, such as a configuration without a cipher;
    ///   `nil` when it has begun.
    package func start() -> TLSError? {
        var step = Step()
        shakeHands(&step)
        if case .failed(let error) = step.status { return error }
        return nil
    }

    /// Takes what came from the peer, and writes the plaintext in it to `plaintext`.
    ///
    /// `ciphertext` becomes the part that was not taken. It is empty, except with
    /// ``Step/Status/bufferFull`` or after the end.
    package func receive(
        _ ciphertext: inout UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Step {
        var step = Step()
        guard !hasFailed else { return step }
        if firstBytes.count < 8 { firstBytes += ciphertext.prefix(8 - firstBytes.count) }
        input = ciphertext
        defer {
            ciphertext = input
            input = UnsafeRawBufferPointer(start: nil, count: 0)
        }
        if !isHandshakeFinished {
            shakeHands(&step)
            guard step.hasFinishedHandshake else { return step }
        }
        while step.plaintextByteCount < plaintext.count {
            ERR_clear_error()
            var count = 0
            let result = SSL_read_ex(
                ssl, plaintext.baseAddress?.advanced(by: step.plaintextByteCount),
                plaintext.count - step.plaintextByteCount, &count)
            if result == 1 {
                step.plaintextByteCount += count
            } else {
                step.status = status(of: result)
                return step
            }
        }
        step.status = .bufferFull
        return step
    }

    /// Turns bytes into outgoing records. Call it only once the handshake is finished.
    package func encrypt(_ bytes: UnsafeRawBufferPointer) -> TLSError? {
        precondition(isHandshakeFinished, "Nothing is sent before the handshake is finished")
        guard !hasFailed, !hasSentClose, !bytes.isEmpty else { return nil }
        // Each record of up to 16 KB has a header, a nonce and a tag.
        let records = bytes.count / 16_384 + 1
        outgoing.reserveCapacity(outgoing.count + bytes.count + records * 64)
        ERR_clear_error()
        var written = 0
        let result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        if result == 1 { return nil }
        switch status(of: result) {
        case .failed(let error): return error
        case .incomplete, .bufferFull, .closed:
            // Writing never has to wait: there is no renegotiation, and the BIO takes everything.
            hasFailed = true
            return .protocolViolation("nothing can be written")
        }
    }

    /// Ends our side: nothing can be encrypted after this.
    package func shutdown() {
        guard isHandshakeFinished, !hasFailed, !hasSentClose else { return }
        hasSentClose = true
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// The connection under the engine has ended. Returns the error that this means; `nil` when the
    /// peer had announced the end.
    package func connectionClosed() -> TLSError? {
        if hasReceivedClose || hasFailed { return nil }
        hasFailed = true
        return isHandshakeFinished ? .closedWithoutNotice : .closedDuringHandshake
    }

    /// Hands over the bytes that must be sent to the peer.
    package func takeOutgoing() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &outgoing)
        return taken
    }

    /// What both sides agreed on. Use it only once the handshake is finished.
    package var session: TLSSession {
        var peer: TLSCertificate?
        if let certificate = SSL_get1_peer_certificate(ssl) {
            peer = TLSCertificate(certificate)
            X509_free(certificate)
        }
        return TLSSession(
            version: String(cString: SSL_get_version(ssl)),
            cipher: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) }
                ?? "?",
            peerCertificate: peer)
    }

    // MARK: Results

    private func shakeHands(_ step: inout Step) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isHandshakeFinished = true
            step.hasFinishedHandshake = true
        } else {
            step.status = status(of: result)
        }
    }

    /// - Parameter result: the result of the SSL call that has just failed.
    private func status(of result: Int32) -> Step.Status {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return .incomplete
        case SSL_ERROR_ZERO_RETURN:
            hasReceivedClose = true
            return .closed
        default:
            hasFailed = true
            let error = failure()
            ERR_clear_error()
            return .failed(error)
        }
    }

    private func failure() -> TLSError {
        // Other errors may precede TLS's own, such as one about a signature.
        let first = ERR_get_error()
        var code = first
        while code != 0, copenssl_error_library(code) != ERR_LIB_SSL { code = ERR_get_error() }
        guard code != 0 else { return .protocolViolation(OpenSSLError.text(first)) }
        let reason = copenssl_error_reason(code)
        if let alert = UInt8(exactly: reason - SSL_AD_REASON_OFFSET) {
            let alert = TLSAlert(code: alert)
            return lacksCertificate && alert.isAboutMissingCertificate
                ? .refusedWithoutCertificate(alert) : .refusedByPeer(alert)
        }
        if let plain = plainProtocol { return .notTLS(plain) }
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            if let refusal { return refusal }
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return .missingCertificate
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH,
            SSL_R_WRONG_SSL_VERSION, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_UNKNOWN_PROTOCOL:
            return .nothingInCommon(.version)
        case SSL_R_NO_SHARED_CIPHER: return .nothingInCommon(.cipher)
        case SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS:
            return .nothingInCommon(.keyExchangeGroup)
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            return .nothingInCommon(.signatureAlgorithm)
        default: break
        }
        return .protocolViolation(OpenSSLError.text(code))
    }

    /// What the peer speaks, if its first bytes are not a TLS record (RFC 8446, section 5.1).
    private var plainProtocol: TLSError.PlainProtocol? {
        guard !isHandshakeFinished, let first = firstBytes.first else { return nil }
        let isRecord = (20...24).contains(first) && (firstBytes.count < 2 || firstBytes[1] == 3)
        if isRecord { return nil }
        let words = ["GET ", "POST", "HEAD", "PUT ", "HTTP", "OPTI", "CONN", "DELE", "PRI "]
        if words.contains(where: { firstBytes.starts(with: $0.utf8) }) { return .http }
        // Two bytes of length, then the tag of a name or a status.
        let tags = "Nns".utf8
        if firstBytes.count >= 3, first < 2, tags.contains(firstBytes[2]) {
            return .erlangDistribution
        }
        return .unknown
    }

    // MARK: Called by OpenSSL

    /// Gives OpenSSL the next bytes of the input; returns 0 when there are none.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, input.count)
        guard count > 0 else { return 0 }
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        outgoing.append(contentsOf: bytes)
    }

    func lackCertificate() {
        lacksCertificate = true
    }

    /// Remembers why a certificate is refused. The first reason counts.
    func refuse(_ code: Int32, _ pointer: OpaquePointer?) {
        guard refusal == nil, let pointer else { return }
        let certificate = TLSCertificate(pointer)
        let problem: TLSCertificateProblem =
            switch code {
            case X509_V_ERR_CERT_HAS_EXPIRED: .expired(since: certificate.notAfter)
            case X509_V_ERR_CERT_NOT_YET_VALID: .notYetValid(until: certificate.notBefore)
            case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: .selfSigned
            case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
                .unknownAuthority(issuer: certificate.issuer)
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                .unknownAuthority(issuer: certificate.issuer)
            case X509_V_ERR_CERT_SIGNATURE_FAILURE: .invalidSignature(issuer: certificate.issuer)
            case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
                .nameMismatch(expected: serverName ?? "?", found: names(of: certificate))
            case X509_V_ERR_INVALID_PURPOSE, X509_V_ERR_KEYUSAGE_NO_CERTSIGN, X509_V_ERR_INVALID_CA,
                X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE:
                .wrongPurpose
            case X509_V_ERR_CERT_REVOKED: .revoked(by: certificate.issuer)
            case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
                .missingRevocations(of: certificate.issuer)
            case X509_V_ERR_CRL_HAS_EXPIRED: .outdatedRevocations(of: certificate.issuer)
            case X509_V_ERR_CERT_CHAIN_TOO_LONG, X509_V_ERR_PATH_LENGTH_EXCEEDED: .chainTooLong
            default: .other(String(cString: X509_verify_cert_error_string(Int(code))))
            }
        refusal = .certificateRefused(problem, subject: certificate.subject)
    }

    /// The common name counts only if there are no other names (RFC 6125, section 6.4.4).
    private func names(of certificate: TLSCertificate) -> [String] {
        certificate.alternativeNames.isEmpty ? [certificate.subject] : certificate.alternativeNames
    }
}
