/// A request, sent on its own connection.
package struct HTTPRequest: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case none
        case bytes([UInt8])
        /// A part of a file, which must not change meanwhile. It is read as the peer takes it.
        case file(path: String, offset: Int, count: Int)

        package var byteCount: Int {
            switch self {
            case .none: 0
            case .bytes(let bytes): bytes.count
            case .file(_, _, let count): count
            }
        }
    }

    package var method: String
    package var url: HTTPURL
    /// Without Host, Content-Length and Connection, which the client sets.
    package var fields: [HTTPField]
    package var content: Content

    package init(
        _ method: String = "GET", _ url: HTTPURL, fields: [HTTPField] = [],
        content: Content = .none
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.content = content
    }

    /// Whether `path` can be asked for: it begins with `/` and holds visible ASCII only
    /// (RFC 9112, section 3.2.1; RFC 3986).
    package static func isPath(_ path: String) -> Bool {
        path.utf8.first == UInt8(ascii: "/") && path.utf8.count <= 8_000
            && path.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }
    }

    /// Why the request cannot be sent; `nil` when it can. Nothing that a caller passes on may end
    /// a line.
    var problem: String? {
        guard !method.isEmpty, method.utf8.allSatisfy(HTTPText.isToken) else {
            return "the method is not a word"
        }
        guard Self.isPath(url.path) else { return "the path cannot be asked for" }
        let own = ["host", "content-length", "connection", "transfer-encoding"]
        for field in fields {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(HTTPText.isToken),
                field.value.utf8.allSatisfy(HTTPText.isText),
                !own.contains(field.name.lowercased())
            else { return "the field \(HTTPParseError.quoted(field.name.utf8)) cannot be sent" }
        }
        return nil
    }

    /// The bytes before the content.
    /// - Parameter proxyFields: for a proxy that passes the request on, which then gets the whole
    ///   address (RFC 9112, section 3.2.2).
    func head(throughProxy proxyFields: [HTTPField]? = nil) -> [UInt8] {
        let target = proxyFields == nil ? url.path : "http://\(url.authority)\(url.path)"
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(url.authority)\r\n"
        for (name, value) in [("User-Agent", "deployex"), ("Accept", "*/*")]
        where fields.values(name.lowercased()).isEmpty {
            text += "\(name): \(value)\r\n"
        }
        for field in fields + (proxyFields ?? []) { text += "\(field.name): \(field.value)\r\n" }
        if content != .none || method == "PUT" || method == "POST" {
            text += "Content-Length: \(content.byteCount)\r\n"
        }
        return Array((text + "Connection: close\r\n\r\n").utf8)
    }
}
