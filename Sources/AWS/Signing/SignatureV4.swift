package import HTTP
import Transport

/// Signs requests as AWS asks for it, Signature Version 4, in the Authorization field.
///
/// Source: AWS, "Create a signed AWS API request". S3 takes the path as it is sent; other services
/// take it without empty and dot segments, and encoded once more.
package struct SignatureV4: Equatable, Sendable {
    package enum Payload: Equatable, Sendable {
        case bytes([UInt8])
        /// The SHA-256 of the content, in hexadecimal.
        case hash(String)
        /// Only S3 takes it, and it is for TLS only.
        case unsigned
    }

    package var region: String
    package var service: String

    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }

    /// Adds the fields of the signature; those of an earlier one are replaced.
    /// - Parameter seconds: since 1970, by the server's clock as far as it is known.
    package func sign(
        _ request: inout HTTPRequest, payload: Payload, credentials: AWSCredentials,
        at seconds: Int
    ) {
        let replaced: Set = ["authorization", "x-amz-date", "x-amz-security-token"]
        request.fields.removeAll { replaced.contains($0.name.lowercased()) }
        let time = UTCTime.basic(seconds)
        let hash = hash(of: payload)
        request.fields.append(HTTPField("X-Amz-Date", time))
        if let token = credentials.sessionToken {
            request.fields.append(HTTPField("X-Amz-Security-Token", token))
        }
        if isS3 {
            request.fields.removeAll { $0.name.lowercased() == "x-amz-content-sha256" }
            request.fields.append(HTTPField("X-Amz-Content-SHA256", hash))
        }
        let fields = canonicalFields(of: request)
        let names = fields.map(\.name).joined(separator: ";")
        let canonical = canonicalRequest(request, fields: fields, names: names, hash: hash)
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text =
            "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n"
            + Digest.text(Digest.sha256(Array(canonical.utf8)))
        var key = Array("AWS4\(credentials.secretAccessKey)".utf8)
        for part in [day, region, service, "aws4_request"] {
            key = Digest.hmacSHA256(Array(part.utf8), key: key)
        }
        let signature = Digest.text(Digest.hmacSHA256(Array(text.utf8), key: key))
        request.fields.append(
            HTTPField(
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), "
                    + "SignedHeaders=\(names), Signature=\(signature)"))
    }

    private var isS3: Bool { service == "s3" }

    private func hash(of payload: Payload) -> String {
        switch payload {
        case .bytes(let bytes): Digest.text(Digest.sha256(bytes))
        case .hash(let text): text
        case .unsigned: "UNSIGNED-PAYLOAD"
        }
    }

    private func canonicalRequest(
        _ request: HTTPRequest, fields: [HTTPField], names: String, hash: String
    ) -> String {
        let parts = request.url.path.split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = isS3 ? String(parts[0]) : Self.encoded(Self.normalized(parts[0]))
        let query = parts.count > 1 ? Self.sorted(parts[1]) : ""
        let lines = fields.map { "\($0.name):\($0.value)\n" }.joined()
        return "\(request.method)\n\(path)\n\(query)\n\(lines)\n\(names)\n\(hash)"
    }

    /// The fields that are signed, each name once and in lower case, in order.
    private func canonicalFields(of request: HTTPRequest) -> [HTTPField] {
        var values: [String: [String]] = ["host": [request.url.authority]]
        // What proxies may change is not signed.
        let unsigned: Set = [
            "host", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id",
        ]
        for field in request.fields {
            let name = field.name.lowercased()
            guard !unsigned.contains(name), name != "connection" else { continue }
            let value = field.value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
            values[name, default: []].append(value)
        }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { HTTPField($0.key, $0.value.joined(separator: ",")) }
    }

    private static func sorted(_ query: Substring) -> String {
        guard !query.isEmpty else { return "" }
        return query.split(separator: "&", omittingEmptySubsequences: false)
            .map { parameter in
                let parts = parameter.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (name: parts[0], value: parts.count > 1 ? parts[1] : "")
            }
            .sorted {
                $0.name.utf8.elementsEqual($1.name.utf8)
                    ? $0.value.utf8.lexicographicallyPrecedes($1.value.utf8)
                    : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
            }
            .map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    private static func normalized(_ path: Substring) -> String {
        var kept: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment != ".." {
                kept.append(segment)
            } else if !kept.isEmpty {
                kept.removeLast()
            }
        }
        return "/" + kept.joined(separator: "/") + (path.last == "/" && !kept.isEmpty ? "/" : "")
    }

    /// Percent-encoded but for slashes and what RFC 3986 leaves unreserved.
    private static func encoded(_ path: String) -> String {
        let kept = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)
        return path.utf8.map { byte in
            kept.contains(byte)
                ? String(UnicodeScalar(byte)) : "%" + Digest.text([byte]).uppercased()
        }.joined()
    }
}
