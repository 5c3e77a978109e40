internal import ExternalTermFormat

/// A cipher as Erlang's `ssl` writes it: a name of OpenSSL's or the RFCs', or a map.
///
/// ```
/// "ECDHE-ECDSA-AES128-GCM-SHA256"    "TLS_AES_128_GCM_SHA256"
/// #{key_exchange => ecdhe_ecdsa, cipher => aes_128_gcm, mac => aead, prf => sha256}
/// ```
/// Source: `erl_cipher_suite()` of ssl(3), `ssl_cipher_format.erl`.
struct TLSCipherName: Equatable {
    /// As OpenSSL takes it.
    let name: String

    /// Whether this is a suite of TLS 1.3: those name no key exchange.
    var isTLS13: Bool {
        name.hasPrefix("TLS_") && !name.contains("_WITH_")
    }

    /// `nil` when the term is not the name of a cipher. OpenSSL decides whether such a cipher
    /// exists.
    init?(_ term: Term) {
        guard let text = term.asMap.flatMap(Self.name) ?? term.asText else { return nil }
        self.init(text)
    }

    init?(_ text: some StringProtocol) {
        let isName = text.allSatisfy { character in
            character.isASCII && (character.isLetter || character.isNumber)
                || character == "_" || character == "-"
        }
        guard isName, !text.isEmpty else { return nil }
        name = String(text)
    }

    /// The name in the RFCs of the cipher that a map describes.
    private static func name(_ map: TermMap) -> String? {
        func value(_ key: Atom) -> String? { map[.atom(key)]?.asAtom?.name }
        guard let exchange = value("key_exchange"), let cipher = value("cipher"),
            let mac = value("mac")
        else { return nil }
        let prf = value("prf")
        let isTLS13 = exchange == "any"
        var name = isTLS13 ? "TLS_" : "TLS_\(exchange.uppercased())_WITH_"
        name += cipher.uppercased()
        let hash: String?
        if mac != "aead" {
            hash = mac
        } else if cipher.contains("_ccm"), !isTLS13 {
            // The names of these ciphers leave the digest out (RFC 7251, section 2).
            return name
        } else {
            hash = prf
        }
        guard let hash else { return nil }
        return "\(name)_\(hash.uppercased())"
    }
}
