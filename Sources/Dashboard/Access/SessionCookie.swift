internal import HTTP

/// The cookie of a session. Browsers send cookies to every port of a host, so its name has ours.
///
/// Source: RFC 6265bis. `__Host-` makes a browser refuse it from anybody but this host, and only
/// over HTTPS.
struct SessionCookie: Equatable, Sendable {
    let port: UInt16

    /// So many cookies of that name are looked at: others of this host may set some as well.
    private static let limit = 200

    private func name(_ request: HTTPServerRequest) -> String {
        (RequestOrigin.isSecure(request) ? "__Host-" : "") + "deployex_\(port)"
    }

    /// The values of the cookies of that name.
    func values(in request: HTTPServerRequest) -> [String] {
        let prefix = name(request) + "="
        let cookies = request.head.fields.values("cookie").flatMap { $0.split(separator: ";") }
            .map { HTTPText.trimmed($0) }
        return Array(
            cookies.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
                .prefix(Self.limit))
    }

    /// Makes the browser keep a value until it ends.
    func setting(_ value: String, answering request: HTTPServerRequest) -> HTTPField {
        field(value, "", request)
    }

    /// Makes the browser forget it.
    func removing(answering request: HTTPServerRequest) -> HTTPField {
        field("", "; Max-Age=0", request)
    }

    private func field(
        _ value: String, _ more: String, _ request: HTTPServerRequest
    ) -> HTTPField {
        let secure = RequestOrigin.isSecure(request) ? "; Secure" : ""
        return HTTPField(
            "Set-Cookie",
            "\(name(request))=\(value); Path=/; HttpOnly; SameSite=Strict\(secure)\(more)")
    }
}
