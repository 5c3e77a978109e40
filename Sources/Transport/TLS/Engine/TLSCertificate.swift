internal import COpenSSL
internal import Glibc

/// The parts of a certificate that are worth showing. Its maker wrote all of them: so control
/// characters are replaced, and long texts and lists are cut.
package struct TLSCertificate: Equatable, Sendable {
    /// The subject's common name, or the whole subject if it has none.
    package var subject: String
    /// The same for the issuer.
    package var issuer: String
    /// The DNS names and IP addresses that the certificate is for.
    package var alternativeNames: [String]
    /// In UTC: "2027-12-23 10:00:00 UTC".
    package var notBefore: String
    package var notAfter: String
    /// ``notAfter`` in seconds since 1970; `nil` if it is no time.
    package var expiry: Int?
    /// ``notBefore`` in seconds since 1970; `nil` if it is no time.
    package var begin: Int?

    private static let maximumNames = 32
    private static let maximumTextLength = 255

    /// - Parameter certificate: an `X509 *`, which the caller still owns.
    init(_ certificate: OpaquePointer) {
        subject = Self.text(of: X509_get_subject_name(certificate))
        issuer = Self.text(of: X509_get_issuer_name(certificate))
        notBefore = Self.text(of: X509_get0_notBefore(certificate))
        notAfter = Self.text(of: X509_get0_notAfter(certificate))
        expiry = Self.seconds(of: X509_get0_notAfter(certificate))
        begin = Self.seconds(of: X509_get0_notBefore(certificate))
        alternativeNames = []
        guard let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
            return
        }
        let stack = OpaquePointer(names)
        defer { GENERAL_NAMES_free(stack) }
        for index in 0..<min(copenssl_alternative_count(stack), Int32(Self.maximumNames)) {
            var type: Int32 = 0
            var length: Int32 = 0
            guard let start = copenssl_alternative(stack, index, &type, &length) else { continue }
            let bytes = UnsafeBufferPointer(start: start, count: Int(length))
            if type == GEN_DNS {
                alternativeNames.append(Self.printable(String(decoding: bytes, as: UTF8.self)))
            } else if bytes.count == 4 || bytes.count == 16 {
                alternativeNames.append(SocketAddress.host(of: Array(bytes)))
            }
        }
    }

    private static func text(of name: OpaquePointer?) -> String {
        guard let name else { return "?" }
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        if index >= 0, let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)) {
            var utf8: UnsafeMutablePointer<UInt8>?
            let count = ASN1_STRING_to_UTF8(&utf8, value)
            if let utf8, count >= 0 {
                defer { CRYPTO_free(utf8, nil, 0) }
                let bytes = UnsafeBufferPointer(start: utf8, count: Int(count))
                return printable(String(decoding: bytes, as: UTF8.self))
            }
        }
        guard let line = X509_NAME_oneline(name, nil, 0) else { return "?" }
        defer { CRYPTO_free(line, nil, 0) }
        return printable(String(cString: line))
    }

    private static func text(of time: UnsafePointer<ASN1_TIME>?) -> String {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return "?" }
        func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
            + " \(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec)) UTC"
    }

    private static func seconds(of time: UnsafePointer<ASN1_TIME>?) -> Int? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return timegm(&parts)
    }

    /// The text made safe for a log and a terminal.
    private static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(maximumTextLength) {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            result.append(isControl ? "?" : scalar)
        }
        return String(result)
    }
}

extension TLSCertificate {
    /// Our own certificate: the first one in its file. It blocks.
    /// - Returns: `nil` if none is configured.
    package static func own(
        _ configuration: TLSConfiguration
    ) throws(TLSConfigurationError) -> TLSCertificate? {
        guard let file = configuration.certificateFile else { return nil }
        let holdsKey = configuration.keyFile == nil || configuration.keyFile == file
        let certificates = try PEMFile(
            .certificate, file, isSecret: holdsKey, owners: configuration.fileOwners
        ).certificates()
        defer { for certificate in certificates { X509_free(certificate) } }
        return certificates.first.map { TLSCertificate($0) }
    }
}

/// What both sides of a TLS connection agreed on.
package struct TLSSession: Equatable, Sendable {
    /// "TLSv1.3"
    package var version: String
    /// "TLS_AES_256_GCM_SHA384"
    package var cipher: String
    /// `nil` when the peer sent none.
    package var peerCertificate: TLSCertificate?
}
