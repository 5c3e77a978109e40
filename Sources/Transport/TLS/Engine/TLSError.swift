/// Why a TLS connection could not be made, or why it ended: which side refused, and for what
/// reason.
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// We refused the peer's certificate.
    case certificateRefused(TLSCertificateProblem, subject: String)
    /// We refused the peer because it has no certificate.
    case missingCertificate
    /// The peer refused us and said why.
    case refusedByPeer(TLSAlert)
    /// The peer refused us after it had asked for a certificate and got none.
    case refusedWithoutCertificate(TLSAlert)
    /// The peer does not speak TLS at all.
    case notTLS(PlainProtocol)
    /// The two sides have none of these in common.
    case nothingInCommon(Choice)
    /// The peer broke the protocol; the text is OpenSSL's.
    case protocolViolation(String)
    case handshakeTimedOut
    /// The peer closed the connection before the end of the handshake, without saying why.
    case closedDuringHandshake
    /// The connection ended without TLS's closing message: the peer has died, or somebody has cut
    /// the connection.
    case closedWithoutNotice

    /// What a peer that does not speak TLS seems to speak.
    package enum PlainProtocol: Equatable, Sendable {
        case http
        /// The Erlang distribution over plain TCP.
        case erlangDistribution
        case unknown
    }

    /// What both sides must agree on.
    package enum Choice: String, Equatable, Sendable {
        case version = "TLS version"
        case cipher
        case keyExchangeGroup = "key exchange group"
        case signatureAlgorithm = "signature algorithm"
    }

    package var description: String {
        switch self {
        case .certificateRefused(let problem, let subject):
            "the certificate of the peer (\(subject)) was refused: \(problem)"
        case .missingCertificate: "the peer was refused: it sent no certificate"
        case .refusedByPeer(let alert): alert.explanation
        case .refusedWithoutCertificate(let alert):
            "the peer refused us: it wants a certificate, and none was sent (\(alert))"
        case .notTLS(.http): "the peer speaks HTTP, not TLS"
        case .notTLS(.erlangDistribution):
            "the peer speaks the Erlang distribution without TLS:"
                + " start it with -proto_dist inet_tls"
        case .notTLS(.unknown): "the peer does not speak TLS"
        case .nothingInCommon(let choice):
            "the peer and this side have no \(choice.rawValue) in common"
        case .protocolViolation(let text): "the peer broke the TLS protocol: \(text)"
        case .handshakeTimedOut:
            "the TLS handshake was not finished in time; the peer may not use TLS"
        case .closedDuringHandshake:
            "the peer closed the connection during the TLS handshake; it may not use TLS, or have"
                + " wrong TLS options"
        case .closedWithoutNotice: "the connection was cut without the end of TLS"
        }
    }
}

/// What is wrong with a certificate that we refused.
package enum TLSCertificateProblem: Equatable, Sendable, CustomStringConvertible {
    /// The error's `subject` is the certificate that has expired: the peer's own or one above it.
    case expired(since: String)
    case notYetValid(until: String)
    /// No authority that we trust has signed it. `issuer` has signed it, or is said to have.
    case unknownAuthority(issuer: String)
    /// It signs itself, and we do not trust it.
    case selfSigned
    /// Its signature does not fit the authority's key. It is from another authority of the same
    /// name, and has no key identifier that would tell the two apart.
    case invalidSignature(issuer: String)
    case nameMismatch(expected: String, found: [String])
    /// Its key usages do not allow what it is used for here.
    case wrongPurpose
    case chainTooLong
    /// The revocation list of its issuer contains it.
    case revoked(by: String)
    /// There is no revocation list of its issuer, so nobody knows whether it is revoked.
    case missingRevocations(of: String)
    /// The revocation list should have been replaced by a newer one.
    case outdatedRevocations(of: String)
    /// Any other problem; the text is OpenSSL's.
    case other(String)

    package var description: String {
        switch self {
        case .expired(let date): "it expired on \(date)"
        case .notYetValid(let date): "it is valid from \(date) only"
        case .unknownAuthority(let issuer):
            "its issuer (\(issuer)) is not a CA that is trusted here"
        case .selfSigned: "it is self-signed, and not trusted here"
        case .invalidSignature(let issuer):
            "its signature is not that of the CA (\(issuer)) that is trusted here"
        case .nameMismatch(let expected, let found):
            found.isEmpty
                ? "it is for no host name at all, not for \(expected)"
                : "it is for \(found.joined(separator: ", ")), not for \(expected)"
        case .wrongPurpose:
            "its key usage does not allow it here: a node's certificate needs both"
                + " serverAuth and clientAuth, its CA keyCertSign"
        case .chainTooLong: "too many certificates are between it and its CA"
        case .revoked(let issuer): "it has been revoked by its CA (\(issuer))"
        case .missingRevocations(let issuer):
            "the folder of revocation lists has none of its CA (\(issuer)), and crl_check wants one"
        case .outdatedRevocations(let issuer):
            "the revocation list of its CA (\(issuer)) is out of date:"
                + " put the next one in its place"
        case .other(let text): text
        }
    }
}
