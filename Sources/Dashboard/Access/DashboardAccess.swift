internal import Deployment
internal import ExternalTermFormat
package import HTTP
package import Transport

/// Decides who a request comes from and what they may do: by the API's token, or by a session.
package actor DashboardAccess {
    package struct Settings: Sendable {
        package var secrets = DashboardSecrets()
        /// From where terminals may be opened.
        package var terminals = TerminalPermission.everywhere
        /// The port that deployex listens on, for the cookie's name.
        package var port: UInt16 = 5001
        package var attempts = AttemptLimit.Limits()
        package var sessions = Sessions.Limits()

        package init() {}
    }

    /// Why a request is not answered.
    package enum Denial: Error, Equatable {
        case unauthorized(String)
        case forbidden(String)
        case malformed(String)
        case tooManyAttempts(wait: Duration)
        case busy
    }

    /// Somebody has logged in.
    package struct Login: Equatable, Sendable {
        package var visitor: Visitor
        package var token: String
        package var cookie: HTTPField
    }

    private nonisolated let loop: EventLoop
    private nonisolated let settings: Settings
    private nonisolated let secrets: Guarded<DashboardSecrets>
    private let cookie: SessionCookie
    private let report: @Sendable (DashboardReport) -> Void
    private let clock: @Sendable () -> MonotonicTime
    private let work: PasswordWork
    private var attempts: AttemptLimit
    /// Of the API's token: who guesses it keeps nobody from logging in.
    private var tokenAttempts: AttemptLimit
    /// Whether the dashboard's port is deployex's: otherwise a link would tell its secret to whoever
    /// has it.
    package var isServed = false
    private var sessions: Sessions
    private var links = LoginLinks()
    private var sweep: LoopTimer?
    private(set) var counts = LoginCounts()
    private var ended: @Sendable (SessionID) async -> Void = { _ in }
    private var inUse: @Sendable () async -> Set<SessionID> = { [] }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    private static let sweepInterval: Duration = .seconds(30)

    /// - Parameter report: hears who has logged in, and who has tried.
    package init(
        _ settings: Settings, loop: EventLoop,
        report: @escaping @Sendable (DashboardReport) -> Void = { _ in },
        clock: @escaping @Sendable () -> MonotonicTime = { .now }
    ) {
        self.settings = settings
        secrets = Guarded(settings.secrets)
        self.loop = loop
        self.report = report
        self.clock = clock
        cookie = SessionCookie(port: settings.port)
        work = PasswordWork(loop: loop)
        attempts = AttemptLimit(limits: settings.attempts)
        tokenAttempts = AttemptLimit(limits: settings.attempts)
        sessions = Sessions(limits: settings.sessions)
    }

    /// - Parameters:
    ///   - ended: hears of each session that has ended.
    ///   - inUse: the sessions that have something open.
    func watch(
        ended: @escaping @Sendable (SessionID) async -> Void,
        inUse: @escaping @Sendable () async -> Set<SessionID>
    ) {
        self.ended = ended
        self.inUse = inUse
    }

    /// The ways of logging in that there are.
    nonisolated var methods: [String] {
        let secrets = secrets.withLock { $0 }
        return secrets.administrator == nil && secrets.viewer == nil
            ? ["link"] : ["password", "link"]
    }

    /// Whether the visitor may have terminals from where it asks, once it has proved itself.
    nonisolated func mayOpenTerminals(_ visitor: Visitor, from request: HTTPServerRequest) -> Bool {
        guard case .session = visitor.identity else { return false }
        return visitor.role == .administrator && terminalDenial(request) == nil
    }

    private nonisolated func terminalDenial(_ request: HTTPServerRequest) -> Denial? {
        switch settings.terminals {
        case .everywhere: nil
        case .onThisHost where request.isOfThisHost: nil
        case .onThisHost:
            .forbidden(
                "terminals are open to this host only: set DEPLOYEX_TERMINAL=true to allow them")
        case .nowhere:
            .forbidden("terminals are off at this address: DEPLOYEX_TERMINAL=true turns them on")
        }
    }

    /// The secret of a new link that logs an administrator in.
    package func makeLink() -> String { links.make(at: clock()) }

    /// Uses other secrets from now on. Whoever has logged in with a password that is another now is
    /// logged out.
    /// - Returns: what has changed.
    package func take(_ new: DashboardSecrets) async -> [String] {
        let old = secrets.withLock { secrets in
            defer { secrets = new }
            return secrets
        }
        for session in sessions.all where session.method == .password {
            let isChanged =
                session.role == .administrator
                ? old.administrator != new.administrator : old.viewer != new.viewer
            if isChanged { await end(session.id, "ends: its password is another now") }
        }
        return old.changes(to: new)
    }

    // MARK: Requests

    /// - Returns: who asks, if that is somebody who may.
    func admit(
        _ request: HTTPServerRequest, to level: AccessLevel
    ) async throws(Denial) -> Visitor {
        switch level {
        case .open: return Visitor(.anybody, nil, from: source(of: request))
        case .figures where request.isOfThisHost:
            return Visitor(.anybody, nil, from: source(of: request))
        case .figures, .viewer, .administrator, .terminal: break
        }
        // A proxy's own password may come as `Authorization: Basic`, which means nothing to us.
        if let token = request.bearerToken {
            let visitor = try admit(token, of: request)
            guard level != .terminal else {
                throw .forbidden("the API's token opens no terminals: log in")
            }
            return visitor
        }
        let session = try session(of: request)
        let visitor = Visitor(.session(session.id), session.role, from: source(of: request))
        switch level {
        case .open, .figures, .viewer: break
        case .administrator, .terminal:
            guard session.role == .administrator else {
                throw .forbidden("a viewer may look, and not act")
            }
        }
        if level == .terminal { try await proveAgain(session, request) }
        return visitor
    }

    private func admit(
        _ given: String, of request: HTTPServerRequest
    ) throws(Denial) -> Visitor {
        guard let token = secrets.withLock({ $0.apiToken }) else {
            throw .forbidden("set DEPLOYEX_API_TOKEN or DEPLOYEX_API_TOKEN_FILE to use a token")
        }
        let (source, now) = (source(of: request), clock())
        if let wait = tokenAttempts.wait(source, at: now) { throw .tooManyAttempts(wait: wait) }
        guard SecretComparison.areEqual(Array(given.utf8), Array(token.utf8)) else {
            tokenAttempts.failed(source, at: now)
            counts.failures += 1
            report(.warning("A wrong token of the API from \(source)"))
            throw .unauthorized("the token is wrong")
        }
        return Visitor(.token, .administrator, from: source)
    }

    /// The session whose cookie and token the request has, from a page of ours.
    private func session(
        of request: HTTPServerRequest
    ) throws(Denial) -> Sessions.Session {
        let cookies = cookie.values(in: request)
        guard let token = request.field("x-deployex-token"), !cookies.isEmpty else {
            throw .unauthorized("log in, or give the token of the API")
        }
        guard let session = sessions.find(cookies: cookies, token: token, at: clock()) else {
            throw .unauthorized("the session has ended: log in again")
        }
        guard RequestOrigin.isOwn(request) else {
            throw .forbidden("the request is not from a page of deployex")
        }
        return session
    }

    /// A terminal takes more than an open page: somebody may have left it open.
    private func proveAgain(
        _ session: Sessions.Session, _ request: HTTPServerRequest
    ) async throws(Denial) {
        if let denial = terminalDenial(request) { throw denial }
        guard session.method == .password,
            let hash = secrets.withLock({ $0.administrator })
        else { return }
        guard let password = Self.member("password", of: request) else {
            throw .forbidden("the password is needed again")
        }
        let matches = try await verify(password, [hash], for: request)
        guard matches == [true] else { throw .forbidden("the password is wrong") }
    }

    // MARK: Sessions

    /// Logs somebody in, by `{"password": …}` or `{"link": …}`.
    func logIn(_ request: HTTPServerRequest) async throws(Denial) -> Login {
        guard RequestOrigin.isOwn(request) else {
            throw .forbidden("the request is not from a page of deployex")
        }
        let (source, now) = (source(of: request), clock())
        if let wait = attempts.wait(source, at: now) { throw .tooManyAttempts(wait: wait) }
        if let link = Self.member("link", of: request) {
            guard links.use(link, at: now) else {
                attempts.failed(source, at: now)
                counts.failures += 1
                report(.warning("A login link that is not valid, from \(source)"))
                throw .unauthorized("the link has been used, or is older than ten minutes")
            }
            return await begin(.administrator, by: .link, request)
        }
        guard let password = Self.member("password", of: request) else {
            throw .malformed("a JSON object with a \"password\" or a \"link\" is expected")
        }
        let roles: [(role: Visitor.Role, hash: PasswordHash?)] = [
            (.administrator, secrets.withLock { $0.administrator }),
            (.viewer, secrets.withLock { $0.viewer }),
        ]
        let known = roles.compactMap { role, hash in hash.map { (role: role, hash: $0) } }
        guard !known.isEmpty else {
            throw .unauthorized("there is no password: `deployex login-link` prints a link")
        }
        let matches = try await verify(password, known.map(\.hash), for: request)
        guard let found = matches.firstIndex(of: true) else {
            throw .unauthorized("the password is wrong")
        }
        return await begin(known[found].role, by: .password, request)
    }

    /// Which of the hashes the password has, if the source may still try.
    private func verify(
        _ password: String, _ hashes: [PasswordHash], for request: HTTPServerRequest
    ) async throws(Denial) -> [Bool] {
        let source = source(of: request)
        let result: Result<[Bool], Denial>? = await work.inTurn {
            await self.verifyInTurn(password, hashes, source)
        }
        guard let result else { throw .busy }
        return try result.get()
    }

    private func verifyInTurn(
        _ password: String, _ hashes: [PasswordHash], _ source: PeerSource
    ) async -> Result<[Bool], Denial> {
        // Those before it in the turn may have been the source's own.
        if let wait = attempts.wait(source, at: clock()) {
            return .failure(.tooManyAttempts(wait: wait))
        }
        let matches = await PasswordWork.matches(password, hashes)
        if !matches.contains(true) {
            attempts.failed(source, at: clock())
            counts.failures += 1
            report(.warning("A wrong password from \(source)"))
        }
        return .success(matches)
    }

    private func begin(
        _ role: Visitor.Role, by method: Sessions.Method, _ request: HTTPServerRequest
    ) async -> Login {
        // The one that this browser had is replaced.
        if let old = sessions.find(cookies: cookie.values(in: request)) {
            await end(old.id, "is replaced by another login")
        }
        let (begun, removed) = sessions.begin(role, by: method, at: clock())
        counts.successes += 1
        let visitor = Visitor(.session(begun.session.id), role, from: source(of: request))
        let way = method == .password ? "the password" : "a link"
        report(.info("Dashboard: login of \(visitor.description) with \(way)"))
        if let removed { await tell(removed, "has made room for a newer one") }
        sweepLater()
        return Login(
            visitor: visitor, token: begun.token,
            cookie: cookie.setting(begun.cookie, answering: request))
    }

    /// Ends the visitor's session, and what belongs to it.
    /// - Returns: the field that makes the browser forget its cookie.
    func logOut(_ visitor: Visitor, _ request: HTTPServerRequest) async -> HTTPField {
        if case .session(let id) = visitor.identity { await end(id, "has logged out") }
        return cookie.removing(answering: request)
    }

    private func end(_ id: SessionID, _ how: String) async {
        guard let session = sessions.end(id) else { return }
        await tell(session, how)
    }

    private func tell(_ session: Sessions.Session, _ how: String) async {
        report(
            .info("Dashboard: session \(session.id.number) of the \(session.role.rawValue) \(how)"))
        await ended(session.id)
    }

    private func sweepLater() {
        guard sweep == nil, !sessions.isEmpty else { return }
        sweep = loop.schedule(after: Self.sweepInterval) { [self] in
            Task(executorPreference: loop) { await self.removeExpired() }
        }
    }

    /// Ends the sessions whose time is over.
    func removeExpired() async {
        sweep?.cancel()
        sweep = nil
        let inUse = await inUse()
        // What was opened while its session ended.
        for id in inUse where sessions.session(id) == nil { await ended(id) }
        for session in sessions.expire(inUse: inUse, at: clock()) {
            await tell(session, "has expired")
        }
        sweepLater()
    }

    // MARK: Reading

    /// Whose failures are counted together. A proxy on this host says for whom it asks; what it has
    /// added itself comes last.
    private func source(of request: HTTPServerRequest) -> PeerSource {
        guard request.peer.isLoopback,
            let last = request.head.fields.elements("x-forwarded-for").last,
            let address = SocketAddress(last, port: 0)
        else { return PeerSource(request.peer) }
        return PeerSource(address)
    }

    private static func member(_ name: String, of request: HTTPServerRequest) -> String? {
        do {
            return try JSONReader.value(request.content)[name]?.text
        } catch {
            return nil
        }
    }
}

extension HTTPServerRequest {
    /// Whether a program of this host asks, and not on behalf of another host.
    var isOfThisHost: Bool {
        peer.isLoopback && head.fields.values("forwarded").isEmpty
            && head.fields.values("x-forwarded-for").isEmpty
            && head.fields.values("x-real-ip").isEmpty && head.fields.values("via").isEmpty
            // A proxy that says nothing of this still names the host that it was asked for.
            && AllowedHosts().allow(head.host)
    }

    /// `Authorization: Bearer TOKEN`. Source: RFC 6750, section 2.1.
    var bearerToken: String? {
        guard let value = field("authorization") else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}
