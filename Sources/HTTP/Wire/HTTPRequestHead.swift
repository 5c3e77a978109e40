/// What comes before the content of a request.
package struct HTTPRequestHead: HTTPHead, Equatable, Sendable {
    /// As it was sent; methods are compared with regard to case (RFC 9110, section 9.1).
    package var method: String
    /// What is asked for: from the first `/` on, or `*`. It consists of visible ASCII.
    package var target: String
    /// The minor version: 0 for HTTP/1.0, 1 for HTTP/1.1.
    package var minorVersion: Int
    /// The fields in the order in which they came.
    package var fields: [HTTPField]
    /// Where the request was sent, in lower case: `HOST` or `HOST:PORT`. It is `nil` only in
    /// HTTP/1.0.
    package var host: String?

    static let acceptsBareLineFeed = false
    /// A server should ignore one before a request (RFC 9112, section 2.2).
    static let emptyLineCount = 1
    /// The longest target.
    static let targetByteCount = 8_000

    package init(
        method: String, target: String, minorVersion: Int = 1, fields: [HTTPField] = [],
        host: String? = nil
    ) {
        self.method = method
        self.target = target
        self.minorVersion = minorVersion
        self.fields = fields
        self.host = host
    }

    /// `GET /path HTTP/1.1`, with exactly one space between the parts. Source: RFC 9112, section 3.
    init(startLine line: [UInt8]) throws(HTTPParseError) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, (1...32).contains(parts[0].count),
            parts[0].allSatisfy(HTTPText.isToken), !parts[1].isEmpty,
            parts[2].starts(with: Array("HTTP/".utf8))
        else { throw .badRequestLine(HTTPParseError.quoted(line)) }
        minorVersion = try HTTPVersion.minor(parts[2])
        guard parts[1].count <= Self.targetByteCount else {
            throw .startLineTooLong(limit: Self.targetByteCount)
        }
        guard parts[1].allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }) else {
            throw .badTarget(HTTPParseError.quoted(parts[1]))
        }
        method = String(decoding: parts[0], as: UTF8.self)
        let text = String(decoding: parts[1], as: UTF8.self)
        (target, host) = try Self.forms(text, method: method)
        fields = []
    }

    /// The path with its query, and the host if the target names it. Source: RFC 9112, section 3.2.
    private static func forms(
        _ text: String, method: String
    ) throws(HTTPParseError) -> (target: String, host: String?) {
        if text.hasPrefix("/") || text == "*" && method == "OPTIONS" { return (text, nil) }
        // The absolute form, which a server must accept.
        let lower = text.lowercased()
        for scheme in ["http://", "https://"] where lower.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard let host = authority(String(rest[..<end])) else { break }
            let path = String(rest[end...])
            return (path.hasPrefix("/") ? path : "/" + path, host)
        }
        throw .badTarget(HTTPParseError.quoted(text.utf8))
    }

    /// Checks what only all fields together show, and finds the host. A target that names the host
    /// overrides the field (RFC 9112, sections 3.2 and 3.2.2).
    func checked() throws(HTTPParseError) -> HTTPRequestHead {
        let hosts = fields.values("host")
        guard hosts.count <= 1 else { throw .badHost("more than one") }
        guard let field = hosts.first else {
            if minorVersion == 0 { return self }
            throw .badHost("none")
        }
        guard let host = Self.authority(field) else {
            throw .badHost(HTTPParseError.quoted(field.utf8))
        }
        var checked = self
        checked.host = self.host ?? host
        return checked
    }

    /// `HOST` or `HOST:PORT` in lower case, or `nil` if it is neither. There are no user names in
    /// it. Source: RFC 3986, section 3.2; RFC 9110, section 7.2.
    private static func authority(_ text: String) -> String? {
        var host = Array(text.lowercased().utf8)[...]
        guard (1...300).contains(host.count) else { return nil }
        if let colon = host.lastIndex(of: UInt8(ascii: ":")), host.last != UInt8(ascii: "]") {
            let port = host[(colon + 1)...]
            guard (1...5).contains(port.count), port.allSatisfy(HTTPText.isDigit) else {
                return nil
            }
            host = host[..<colon]
        }
        let isLiteral = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        let inside = isLiteral ? host.dropFirst().dropLast() : host
        guard !inside.isEmpty,
            inside.allSatisfy({ byte in
                switch byte {
                case 0x30...0x39, 0x61...0x7A: true
                case UInt8(ascii: ":"): isLiteral
                default: "-._~".utf8.contains(byte)
                }
            })
        else { return nil }
        return text.lowercased()
    }

    /// Whether the client means to send another request over this connection. Source: RFC 9112,
    /// section 9.3; we do not keep connections of HTTP/1.0 open.
    var keepsConnection: Bool {
        minorVersion >= 1
            && !fields.elements("connection").contains { $0.lowercased() == "close" }
    }

    /// The target up to the query.
    package var path: Substring { target.prefix { $0 != "?" } }

    /// What follows the first `?`; empty if nothing does.
    package var query: Substring { target[path.endIndex...].dropFirst() }
}
