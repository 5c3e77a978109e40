internal import HTTP

/// What the head of an answer says of the object whose content follows.
struct ObjectHead: Equatable, Sendable {
    /// The entity tag, with its quotes.
    var tag: String?
    /// How long the whole object is.
    var byteCount: Int64?
    /// What its content must be like.
    var checks: [ContentCheck] = []

    /// - Parameters:
    ///   - head: of a 200.
    ///   - sha256: of the content, as whoever published it says, in hexadecimal.
    init(_ head: HTTPResponseHead, sha256: String?) {
        let fields = head.fields
        func value(_ name: String) -> String? { fields.values(name).first }
        tag = value("etag")
        byteCount = value("content-length").flatMap { Int64($0) }
        if let sha256 { checks.append(ContentCheck(.sha256, hexadecimal: sha256)) }
        if let text = value("x-amz-checksum-sha256") {
            checks.append(ContentCheck(.sha256, base64: text))
        }
        for kind in CyclicCheck.Kind.allCases {
            if let text = value("x-amz-checksum-\(kind.rawValue)") {
                checks.append(ContentCheck(.cyclic(kind), base64: text))
            }
        }
        // Of an object that was uploaded in parts there may be the check of the parts' checks, which
        // has their number after a dash.
        checks.removeAll { $0.expected.contains("-") }
        if let tag, Self.isDigest(tag, fields) {
            checks.append(ContentCheck(.md5, hexadecimal: String(tag.dropFirst().dropLast())))
        }
    }

    /// Whether the tag is the content's MD5: the object was uploaded at once, and no key of one's
    /// own encrypts it.
    ///
    /// Source: "Object", Amazon S3 API Reference, `ETag`.
    private static func isDigest(_ tag: String, _ fields: [HTTPField]) -> Bool {
        let digits = tag.dropFirst().dropLast()
        let isHexadecimal = digits.utf8.allSatisfy { byte in
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
        }
        let encryption = fields.values("x-amz-server-side-encryption").first
        return tag.hasPrefix("\"") && tag.hasSuffix("\"") && digits.utf8.count == 32
            && isHexadecimal && (encryption == nil || encryption == "AES256")
            && fields.values("x-amz-server-side-encryption-customer-algorithm").isEmpty
            && fields.values("x-amz-storage-class").first != "EXPRESS_ONEZONE"
    }

    /// Where the content of a 206 begins, and how long the whole object is; `nil` if it does not
    /// say so in bytes (RFC 9110, section 14.4).
    static func range(of head: HTTPResponseHead) -> (begin: Int64, byteCount: Int64)? {
        guard let text = head.fields.values("content-range").first, text.hasPrefix("bytes ")
        else { return nil }
        let parts = text.dropFirst(6).split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == "-" || $0 == "/" })
        guard parts.count == 3, let begin = Int64(parts[0]), let end = Int64(parts[1]),
            let count = Int64(parts[2]), begin >= 0, end >= begin, count > end
        else { return nil }
        return (begin, count)
    }
}

/// A check that content must pass.
struct ContentCheck: Equatable, Sendable {
    enum Kind: Hashable, Sendable {
        case sha256, md5
        case cyclic(CyclicCheck.Kind)

        var text: String {
            switch self {
            case .sha256: "SHA-256"
            case .md5: "MD5"
            case .cyclic(let kind): kind.rawValue.uppercased()
            }
        }
    }

    var kind: Kind
    var expected: String
    var isHexadecimal: Bool

    init(_ kind: Kind, hexadecimal: String) {
        (self.kind, expected, isHexadecimal) = (kind, hexadecimal.lowercased(), true)
    }

    init(_ kind: Kind, base64: String) {
        (self.kind, expected, isHexadecimal) = (kind, base64, false)
    }
}
