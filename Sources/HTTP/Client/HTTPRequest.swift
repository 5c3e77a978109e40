/// A GET request without content, on its own connection.
package struct HTTPRequest: Equatable, Sendable {
    /// `HOST` or `HOST:PORT`, for the Host field.
    package var host: String
    /// The path from the first `/` on, with the query, percent-encoded where necessary.
    package var path: String

    /// Whether `path` can be asked for: it begins with `/` and holds visible ASCII only
    /// (RFC 9112, section 3.2.1; RFC 3986).
    package static func isPath(_ path: String) -> Bool {
        path.utf8.first == UInt8(ascii: "/") && path.utf8.count <= 8_000
            && path.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }
    }

    /// The bytes of the request.
    /// - Precondition: ``isPath(_:)``; the host is visible ASCII.
    package func encoded() -> [UInt8] {
        precondition(Self.isPath(path), "A path to ask for is checked where it comes in")
        precondition(host.utf8.allSatisfy { 0x21...0x7E ~= $0 }, "A host is visible ASCII")
        return Array(
            """
            GET \(path) HTTP/1.1\r
            Host: \(host)\r
            User-Agent: deployex\r
            Accept: */*\r
            Connection: close\r
            \r

            """.utf8)
    }
}
