internal import HTTP

/// Where a request comes from, as the browser says that sends it. Source: RFC 6454; Fetch Metadata.
enum RequestOrigin {
    /// Whether the browser reached us over HTTPS, perhaps by a proxy that says so.
    ///
    /// A page of somebody else cannot send this field without asking us first.
    static func isSecure(_ request: HTTPServerRequest) -> Bool {
        request.isSecure || request.field("x-forwarded-proto")?.lowercased() == "https"
    }

    /// The origin of our own pages, as the browser that asks has it: scheme, host and port.
    static func own(_ request: HTTPServerRequest) -> String? {
        request.head.host.map { (isSecure(request) ? "https://" : "http://") + $0.lowercased() }
    }

    /// Whether one of our own pages asks. The applications of this host have other ports, and pages
    /// that a browser calls the same site.
    ///
    /// Browsers name the origin of whatever acts. Of a GET they name it only to another origin, and
    /// then say otherwise that it is the same, except over plain HTTP to another host.
    static func isOwn(_ request: HTTPServerRequest) -> Bool {
        let origins = request.head.fields.values("origin")
        let sites = request.head.fields.values("sec-fetch-site")
        guard sites.allSatisfy({ $0 == "same-origin" }) else { return false }
        if origins.isEmpty {
            return !sites.isEmpty || request.method == "GET" || request.method == "HEAD"
        }
        return origins.count == 1 && origins[0].lowercased() == own(request)
    }
}
