internal import HTTP
internal import Transport

/// Decides who a request comes from, and whether it is answered.
package struct AccessControl {
    package struct Settings: Sendable {
        /// The API's token; without it nobody has one.
        package var apiToken: String?
        package var attempts = AttemptLimit.Limits()

        package init() {}
    }

    /// Why a request is not answered.
    enum Denial: Error, Equatable {
        case unauthorized(String)
        case forbidden(String)
        case tooManyAttempts(wait: Duration)
    }

    private let settings: Settings
    private var attempts: AttemptLimit

    init(_ settings: Settings) {
        self.settings = settings
        attempts = AttemptLimit(limits: settings.attempts)
    }

    /// - Returns: who asks.
    mutating func admit(
        _ request: HTTPServerRequest, to level: AccessLevel, at now: MonotonicTime
    ) throws(Denial) -> Visitor {
        let source = PeerSource(request.peer)
        switch level {
        case .open: return Visitor(.anybody, nil, from: source)
        case .figures where request.isOfThisHost: return Visitor(.anybody, nil, from: source)
        case .figures, .viewer, .administrator, .terminal: break
        }
        guard let token = settings.apiToken else {
            throw .forbidden("set DEPLOYEX_API_TOKEN or DEPLOYEX_API_TOKEN_FILE to use this")
        }
        if let wait = attempts.wait(source, at: now) { throw .tooManyAttempts(wait: wait) }
        guard let given = request.bearerToken else {
            throw .unauthorized("a bearer token is needed")
        }
        guard SecretComparison.areEqual(Array(given.utf8), Array(token.utf8)) else {
            attempts.failed(source, at: now)
            throw .unauthorized("the token is wrong")
        }
        guard level != .terminal else { throw .forbidden("the API opens no terminals") }
        return Visitor(.token, .administrator, from: source)
    }
}

extension HTTPServerRequest {
    /// Whether a program of this host asks, and not on behalf of another host.
    var isOfThisHost: Bool {
        peer.isLoopback && head.fields.values("forwarded").isEmpty
            && head.fields.values("x-forwarded-for").isEmpty
            && head.fields.values("x-real-ip").isEmpty && head.fields.values("via").isEmpty
    }

    /// `Authorization: Bearer TOKEN`. Source: RFC 6750, section 2.1.
    var bearerToken: String? {
        guard let value = field("authorization") else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}
