package import HTTP

/// A bucket, and how its objects are addressed. It does no I/O.
///
/// Source: "Virtual hosting of general purpose buckets", Amazon S3 User Guide.
package struct S3Bucket: Equatable, Sendable {
    package var name: String
    package var region: String
    /// A server that speaks S3's protocol, in place of AWS's.
    package var endpoint: HTTPURL?

    package init(name: String, region: String, endpoint: HTTPURL? = nil) {
        self.name = name
        self.region = region
        self.endpoint = endpoint
    }

    /// The seed's bucket: `APP-ENV-distribution`, without the `_` that no bucket may have.
    package static func name(of application: String, _ environment: String) -> String {
        "\(application)-\(environment)-distribution".map { $0 == "_" ? "-" : "\($0)" }.joined()
    }

    /// Whether a name can be a bucket's (3 to 63 of a-z, 0-9, `.` and `-`).
    package static func isName(_ name: String) -> Bool {
        3...63 ~= name.utf8.count
            && name.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ".")
                    || $0 == UInt8(ascii: "-")
            } && name.first != "-" && name.first != "." && name.last != "-" && name.last != "."
    }

    /// Where an object is. With dots in the bucket's name TLS would not know the host, and other
    /// servers need not know names of hosts: there the bucket is part of the path.
    func url(of key: String) throws(HTTPURLError) -> HTTPURL {
        let path = "/" + Self.encoded(key)
        if let endpoint {
            let base =
                endpoint.path.hasSuffix("/") ? String(endpoint.path.dropLast()) : endpoint.path
            return try HTTPURL(
                "\(endpoint.scheme.rawValue)://\(endpoint.authority)\(base)/\(name)\(path)")
        }
        let suffix = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        let host = "s3.\(region).\(suffix)"
        return try HTTPURL(
            name.contains(".") ? "https://\(host)/\(name)\(path)" : "https://\(name).\(host)\(path)"
        )
    }

    /// The same object for people.
    func text(of key: String) -> String { "s3://\(name)/\(key)" }

    /// Percent-encoded, but for slashes and what RFC 3986 leaves unreserved.
    private static func encoded(_ key: String) -> String {
        let kept = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in key.utf8 {
            if kept.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
