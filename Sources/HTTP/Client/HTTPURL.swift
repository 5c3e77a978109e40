/// The address of something on an HTTP server.
package struct HTTPURL: Equatable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Equatable, Sendable {
        case http, https

        package var defaultPort: UInt16 { self == .http ? 80 : 443 }
    }

    package var scheme: Scheme
    /// A name in lower case, or an address; IPv6 without its brackets.
    package var host: String
    package var port: UInt16
    /// The path from the first `/` on, with the query, percent-encoded.
    package var path: String

    private static let maximumByteCount = 8_000

    /// - Throws: also for an address with a user's name or a fragment, which is never needed here.
    package init(_ text: String) throws(HTTPURLError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumByteCount else { throw .tooLong }
        guard bytes.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }) else {
            throw .badCharacter
        }
        guard let colon = text.range(of: "://") else { throw .badScheme }
        guard let scheme = Scheme(rawValue: text[..<colon.lowerBound].lowercased()) else {
            throw .badScheme
        }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else { throw .userInformation }
        let (host, port) = try Self.parse(authority: authority)
        self.scheme = scheme
        self.host = host
        self.port = port ?? scheme.defaultPort
        let path = String(rest[end...])
        self.path = path.hasPrefix("/") ? path : "/" + path
    }

    /// `HOST` or `HOST:PORT`, for the Host field: the port stands there unless it is the scheme's.
    package var authority: String {
        port == scheme.defaultPort ? bracketedHost : "\(bracketedHost):\(port)"
    }

    /// `HOST:PORT`, for CONNECT.
    var target: String { "\(bracketedHost):\(port)" }

    /// Without the query, which may hold a secret.
    package var description: String {
        "\(scheme.rawValue)://\(authority)\(path.prefix { $0 != "?" })"
    }

    private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }

    private static func parse(
        authority: Substring
    ) throws(HTTPURLError) -> (host: String, port: UInt16?) {
        var host = authority
        var port: Substring?
        if host.first == "[" {
            guard let close = host.firstIndex(of: "]") else { throw .badHost }
            let after = host[host.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { throw .badHost }
            port = after.isEmpty ? nil : after.dropFirst()
            host = host[host.index(after: host.startIndex)..<close]
            guard host.contains(":"),
                host.utf8.allSatisfy({ isHexadecimal($0) || ":.".utf8.contains($0) })
            else { throw .badHost }
        } else {
            if let colon = host.firstIndex(of: ":") {
                port = host[host.index(after: colon)...]
                host = host[..<colon]
            }
            guard host.utf8.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) }) else {
                throw .badHost
            }
        }
        guard 1...253 ~= host.utf8.count else { throw .badHost }
        guard let port else { return (host.lowercased(), nil) }
        guard 1...5 ~= port.utf8.count, port.utf8.allSatisfy(HTTPText.isDigit),
            let number = UInt16(port), number > 0
        else { throw .badPort }
        return (host.lowercased(), number)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        HTTPText.isDigit(byte) || 0x61...0x7A ~= byte | 0x20
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        HTTPText.isDigit(byte) || 0x61...0x66 ~= byte | 0x20
    }
}

/// Why a text is not an ``HTTPURL``.
package enum HTTPURLError: Error, Equatable, Sendable, CustomStringConvertible {
    case tooLong
    case badCharacter
    case badScheme
    case badHost
    case badPort
    case userInformation

    package var description: String {
        switch self {
        case .tooLong: "the address is too long"
        case .badCharacter: "the address has a character that must be percent-encoded"
        case .badScheme: "the address must begin with http:// or https://"
        case .badHost: "the address names no host"
        case .badPort: "the port in the address must be a number from 1 to 65535"
        case .userInformation: "the address must not contain a user's name"
        }
    }
}

extension String {
    /// Where `text` first occurs. Only Foundation has this in the standard library's place.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        guard !text.isEmpty else { return nil }
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) {
                return index..<self.index(index, offsetBy: text.count)
            }
            index = self.index(after: index)
        }
        return nil
    }
}
