import HTTP
import Testing
import Transport

@testable import Dashboard

@Suite struct SessionsTests {
    private let start = MonotonicTime(nanoseconds: 0)

    private func sessions(count: Int = 3) -> Sessions {
        var limits = Sessions.Limits()
        limits.count = count
        limits.idleTime = .seconds(100)
        limits.wholeTime = .seconds(1_000)
        return Sessions(limits: limits)
    }

    @Test func `a session is known by its cookie and its token together`() {
        var sessions = sessions()
        let one = sessions.begin(.viewer, by: .password, at: start).begun
        let two = sessions.begin(.administrator, by: .link, at: start).begun
        #expect(one.session.id != two.session.id)
        func find(_ cookies: [String], _ token: String) -> Sessions.Session? {
            sessions.find(cookies: cookies, token: token, at: start)
        }
        #expect(find(["x", one.cookie], one.token) == one.session)
        for (cookies, token) in [
            ([one.cookie], two.token), ([two.cookie], one.token), ([], one.token),
            ([one.token], one.token), ([one.cookie], one.cookie), ([one.cookie], ""),
            ([""], ""), ([one.cookie.uppercased()], one.token),
        ] {
            #expect(find(cookies, token) == nil)
        }
    }

    @Test func `secrets have 128 random bits, and no two are alike`() {
        var sessions = sessions(count: 100)
        var secrets: Set<String> = []
        for _ in 0..<50 {
            let begun = sessions.begin(.viewer, by: .password, at: start).begun
            secrets.formUnion([begun.cookie, begun.token])
        }
        #expect(secrets.count == 100)
        #expect(secrets.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
    }

    @Test func `a session ends when nobody uses it`() {
        var sessions = sessions()
        let begun = sessions.begin(.viewer, by: .password, at: start).begun
        func find(_ second: Int) -> Bool {
            sessions.find(
                cookies: [begun.cookie], token: begun.token, at: start + .seconds(second)) != nil
        }
        #expect(find(99))
        #expect(find(198))
        #expect(!find(298))
        let expired = sessions.expire(at: start + .seconds(298))
        #expect(expired.map(\.id) == [begun.session.id])
        #expect(sessions.isEmpty)
    }

    @Test func `a session that has something open is not idle, and ends at last`() {
        var sessions = sessions()
        let begun = sessions.begin(.viewer, by: .password, at: start).begun
        for second in stride(from: 90, to: 1_000, by: 90) {
            let now = start + .seconds(second)
            let expired = sessions.expire(inUse: [begun.session.id], at: now)
            #expect(expired.isEmpty)
        }
        let end = start + .seconds(1_000)
        let found = sessions.find(cookies: [begun.cookie], token: begun.token, at: end)
        #expect(found == nil)
        let expired = sessions.expire(inUse: [begun.session.id], at: end)
        #expect(expired.count == 1)
    }

    @Test func `the one that has rested longest makes room`() {
        var sessions = sessions(count: 2)
        let one = sessions.begin(.viewer, by: .password, at: start).begun
        let two = sessions.begin(.viewer, by: .password, at: start + .seconds(1)).begun
        _ = sessions.find(cookies: [one.cookie], token: one.token, at: start + .seconds(2))
        let three = sessions.begin(.viewer, by: .password, at: start + .seconds(3))
        #expect(three.removed?.id == two.session.id)
        #expect(sessions.session(one.session.id) != nil)
    }

    @Test func `viewers do not throw administrators out`() {
        var sessions = sessions(count: 2)
        let one = sessions.begin(.administrator, by: .link, at: start).begun
        _ = sessions.begin(.viewer, by: .password, at: start + .seconds(1))
        for second in 2...5 {
            _ = sessions.begin(.viewer, by: .password, at: start + .seconds(second))
        }
        #expect(sessions.session(one.session.id) != nil)
    }
}

@Suite struct LoginLinksTests {
    private let start = MonotonicTime(nanoseconds: 0)

    @Test func `a link works once, and for ten minutes`() {
        var links = LoginLinks()
        let (one, two) = (links.make(at: start), links.make(at: start))
        #expect(one != two && one.count == 32)
        func use(_ secret: String, after second: Int) -> Bool {
            links.use(secret, at: start + .seconds(second))
        }
        #expect(!use("", after: 0))
        #expect(!use(String(one.dropLast()), after: 0))
        #expect(use(one, after: 599))
        #expect(!use(one, after: 599))
        #expect(!use(two, after: 600))
    }

    @Test func `few links are valid at a time`() {
        var links = LoginLinks()
        let made = (0..<20).map { _ in links.make(at: start) }
        var valid: [String] = []
        for secret in made where links.use(secret, at: start) { valid.append(secret) }
        #expect(valid == made.suffix(16))
    }
}

@Suite struct RequestOriginTests {
    private func request(
        _ method: String, host: String? = "example.org:5001", isSecure: Bool = false,
        _ fields: [(String, String)]
    ) -> HTTPServerRequest {
        HTTPServerRequest(
            head: HTTPRequestHead(
                method: method, target: "/", fields: fields.map { HTTPField($0, $1) }, host: host),
            peer: .loopback(port: 1), isSecure: isSecure)
    }

    @Test(arguments: [
        ("http://example.org:5001", true), ("HTTP://EXAMPLE.org:5001", true),
        ("https://example.org:5001", false), ("http://example.org", false),
        ("http://example.org:4000", false), ("http://example.org:50010", false),
        ("http://evil.example", false), ("http://example.org:5001.evil.example", false),
        ("null", false), ("", false), ("http://example.org:5001/", false),
    ])
    func `the origin is compared exactly, with its port`(_ origin: String, _ isOwn: Bool) {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            #expect(RequestOrigin.isOwn(request(method, [("Origin", origin)])) == isOwn)
        }
    }

    @Test func `what acts names its origin`() {
        #expect(!RequestOrigin.isOwn(request("POST", [])))
        #expect(!RequestOrigin.isOwn(request("DELETE", [])))
        #expect(RequestOrigin.isOwn(request("GET", [])))
        for method in ["GET", "POST"] {
            #expect(RequestOrigin.isOwn(request(method, [("Sec-Fetch-Site", "same-origin")])))
            for site in ["same-site", "cross-site", "none", ""] {
                #expect(
                    !RequestOrigin.isOwn(request(method, [("Sec-Fetch-Site", site)])), "\(site)")
            }
        }
        // Another port of this host is the same site to a browser.
        let other = [("Origin", "http://example.org:5001"), ("Sec-Fetch-Site", "same-site")]
        #expect(!RequestOrigin.isOwn(request("POST", other)))
        let two = [("Origin", "http://example.org:5001"), ("Origin", "http://example.org:5001")]
        #expect(!RequestOrigin.isOwn(request("POST", two)))
        #expect(
            !RequestOrigin.isOwn(request("POST", host: nil, [("Origin", "http://example.org")])))
    }

    @Test func `HTTPS is known by the connection, or by what a proxy says`() {
        let origin = ("Origin", "https://example.org")
        #expect(
            RequestOrigin.isOwn(request("POST", host: "example.org", isSecure: true, [origin])))
        #expect(
            RequestOrigin.isOwn(
                request("POST", host: "example.org", [origin, ("X-Forwarded-Proto", "https")])))
        #expect(!RequestOrigin.isOwn(request("POST", host: "example.org", [origin])))
    }

    @Test func `the cookie has the port in its name, and no script reads it`() {
        let cookie = SessionCookie(port: 5001)
        let plain = request("GET", [("Cookie", "a=b; deployex_5001=one;deployex_500=x")])
        #expect(cookie.values(in: plain) == ["one"])
        #expect(
            cookie.setting("v", answering: plain).value
                == "deployex_5001=v; Path=/; HttpOnly; SameSite=Strict")
        let secure = request(
            "GET", isSecure: true,
            [("Cookie", "deployex_5001=one; __Host-deployex_5001=two"), ("Cookie", "c=d")])
        #expect(cookie.values(in: secure) == ["two"])
        #expect(
            cookie.setting("v", answering: secure).value
                == "__Host-deployex_5001=v; Path=/; HttpOnly; SameSite=Strict; Secure")
        #expect(cookie.removing(answering: plain).value.hasSuffix("; Max-Age=0"))
        let many = String(repeating: "deployex_5001=x; ", count: 50)
        #expect(cookie.values(in: request("GET", [("Cookie", many)])).count == 50)
    }
}
