/// What a peer said when it ended a connection. Source: RFC 8446, section 6; RFC 5246, section 7.2.
package struct TLSAlert: Equatable, Hashable, Sendable, CustomStringConvertible {
    package let code: UInt8

    package init(code: UInt8) {
        self.code = code
    }

    /// The RFC's name for the alert: "unknown_ca".
    package var description: String {
        Self.names[code] ?? "alert \(code)"
    }

    /// Whether this alert may be the answer to a client that was asked for a certificate and sent
    /// none. TLS 1.2 has no separate alert for that.
    var isAboutMissingCertificate: Bool {
        ["handshake_failure", "no_certificate", "certificate_required"].contains(description)
    }

    /// The alert as the reason for a refusal.
    var explanation: String {
        switch code {
        case 42: "the peer refused our certificate: it is bad (\(self))"
        case 43:
            "the peer refused our certificate:"
                + " it is of a kind or for a use that it does not take (\(self))"
        case 44: "the peer refused our certificate: it is revoked (\(self))"
        case 45: "the peer refused our certificate: it has expired or is not valid yet (\(self))"
        case 46: "the peer refused our certificate (\(self))"
        case 48: "the peer refused our certificate: it does not trust the CA (\(self))"
        case 41, 116: "the peer refused us: it wants a certificate, and none was sent (\(self))"
        case 40:
            "the peer refused the connection (\(self)): no cipher in common, or it did not accept"
                + " our certificate or our name"
        case 70: "the peer refused the connection: no TLS version in common (\(self))"
        case 71: "the peer refused the connection: it wants stronger ciphers (\(self))"
        case 112: "the peer does not know the name that it was called by (\(self))"
        default: "the peer ended the connection: \(self)"
        }
    }

    private static let names: [UInt8: String] = [
        0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
        22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure",
        41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
        44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
        47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
        51: "decrypt_error", 60: "export_restriction", 70: "protocol_version",
        71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
        90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
        110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
        113: "bad_certificate_status_response", 114: "bad_certificate_hash_value",
        115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
    ]
}
