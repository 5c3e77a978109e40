internal import CAssets
internal import HTTP
internal import Transport

/// A file that browsers are served, in the two forms that they may have it in.
struct Asset: Equatable, Sendable {
    /// Such as `script/main.js`.
    var path: String
    var bytes: [UInt8]
    /// `nil` where that would not be shorter.
    var gzip: [UInt8]?
    /// Without its quotes; it differs whenever the content does.
    var tag: String

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
        let packed = Gzip.packed(bytes)
        gzip = packed.count < bytes.count ? packed : nil
        tag = Digest.text(Digest.sha256(bytes).prefix(16))
    }

    /// The paths of all files that are in the binary.
    static func paths() -> [String] {
        (0..<cassets_count()).map { String(cString: cassets_file($0).path) }
    }

    /// All files that are in the binary. It takes some milliseconds.
    static func all() -> [Asset] {
        (0..<cassets_count()).map { index in
            let file = cassets_file(index)
            return Asset(
                path: String(cString: file.path),
                bytes: Array(UnsafeBufferPointer(start: file.bytes, count: file.count)))
        }
    }

    /// The answer to a GET or HEAD.
    func response(to request: HTTPServerRequest) -> HTTPServerResponse {
        let packed = ContentCoding.admitsGzip(request) ? gzip : nil
        // Each form has a tag of its own (RFC 9110, section 8.8.3.3).
        let tag = packed == nil ? "\"\(tag)\"" : "\"\(tag)-gzip\""
        var fields = [
            HTTPField("ETag", tag), HTTPField("Vary", "Accept-Encoding"),
            // A browser keeps it, and asks each time whether it is still right.
            HTTPField("Cache-Control", "no-cache"),
        ]
        guard !EntityTag.isNamed(tag, in: request) else {
            return HTTPServerResponse(304, fields: fields)
        }
        fields.append(HTTPField("Content-Type", contentType))
        if packed != nil { fields.append(HTTPField("Content-Encoding", "gzip")) }
        return HTTPServerResponse(200, fields: fields, content: .bytes(packed ?? bytes))
    }

    private var contentType: String {
        let suffix = path.split(separator: ".").last.map(String.init) ?? ""
        return Self.contentTypes[suffix] ?? "application/octet-stream"
    }

    static let contentTypes = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "json": "application/json",
        "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon",
        "txt": "text/plain; charset=utf-8", "woff2": "font/woff2",
    ]
}

/// `Accept-Encoding`. Source: RFC 9110, section 12.5.3.
enum ContentCoding {
    /// Whether the content may come compressed.
    static func admitsGzip(_ request: HTTPServerRequest) -> Bool {
        var isAdmitted = false
        for element in request.head.fields.elements("accept-encoding") {
            let parts = element.lowercased().split(separator: ";").map {
                HTTPText.trimmed($0)
            }
            guard let name = parts.first, name == "gzip" || name == "x-gzip" || name == "*"
            else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap {
                Double($0.dropFirst(2))
            }
            guard weight ?? 1 > 0 else {
                if name != "*" { return false }
                continue
            }
            isAdmitted = true
        }
        return isAdmitted
    }
}

/// `If-None-Match`. Source: RFC 9110, section 13.1.2.
enum EntityTag {
    /// - Parameter tag: with its quotes.
    static func isNamed(_ tag: String, in request: HTTPServerRequest) -> Bool {
        request.head.fields.elements("if-none-match").contains { element in
            element == "*" || element == tag || element == "W/\(tag)"
        }
    }
}
