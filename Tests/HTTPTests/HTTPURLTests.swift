import Testing

@testable import HTTP

@Suite struct HTTPURLTests {
    @Test func `an address is taken apart`() throws {
        var url = try HTTPURL("HTTPS://Bucket.S3.example.com/a%20b?c=d")
        #expect(url.scheme == .https && url.host == "bucket.s3.example.com" && url.port == 443)
        #expect(url.path == "/a%20b?c=d" && url.authority == "bucket.s3.example.com")
        #expect(url.description == "https://bucket.s3.example.com/a%20b")
        url = try HTTPURL("http://[::1]:5000?x")
        #expect(url.host == "::1" && url.port == 5000 && url.path == "/?x")
        #expect(url.authority == "[::1]:5000")
        #expect(try HTTPURL("http://h").path == "/")
    }

    @Test(arguments: [
        ("ftp://h/", HTTPURLError.badScheme), ("h/", .badScheme), ("http:///x", .badHost),
        ("http://a b/", .badCharacter), ("http://h/\r\nX: y", .badCharacter),
        ("http://h/#f", .badCharacter), ("http://u:p@h/", .userInformation),
        ("http://h:0/", .badPort), ("http://h:65536/", .badPort), ("http://h:/", .badPort),
        ("http://h:+1/", .badPort), ("http://[::1/", .badHost), ("http://[::1]x/", .badHost),
        ("http://[zz]/", .badHost), ("http://é/", .badCharacter), ("http://h%41/", .badHost),
        ("http://" + String(repeating: "a", count: 9_000), .tooLong),
    ]) func `what could be read in two ways is refused`(_ text: String, _ error: HTTPURLError) {
        #expect(throws: error) { try HTTPURL(text) }
    }

    @Test func `nothing that is passed on ends a line or doubles a field of ours`() throws {
        let url = try HTTPURL("http://h/")
        #expect(HTTPRequest("GET", url, fields: [HTTPField("X-A", "b c")]).problem == nil)
        for field in [
            HTTPField("X", "a\r\nY: z"), HTTPField("X y", "a"), HTTPField("", "a"),
            HTTPField("Host", "other"), HTTPField("content-length", "1"),
        ] { #expect(HTTPRequest("GET", url, fields: [field]).problem != nil) }
        #expect(HTTPRequest("GET /x HTTP/1.1\r\n", url).problem != nil)
    }

    @Test func `a request with content says how long it is`() throws {
        let url = try HTTPURL("https://h/k")
        let head = HTTPRequest(
            "PUT", url, fields: [HTTPField("If-Match", "\"a\"")],
            content: .bytes([1, 2])
        ).head()
        #expect(
            String(decoding: head, as: UTF8.self)
                == "PUT /k HTTP/1.1\r\nHost: h\r\nUser-Agent: deployex\r\nAccept: */*\r\n"
                + "If-Match: \"a\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
    }
}

@Suite struct HTTPProxiesTests {
    private func proxy(_ environment: [String: String], _ url: String) throws -> String? {
        try HTTPProxies(environment: environment).proxy(for: HTTPURL(url))?.description
    }

    @Test func `each scheme has its proxy, and HTTP_PROXY is not read`() throws {
        #expect(try proxy(["HTTP_PROXY": "http://p:1"], "http://h/") == nil)
        #expect(try proxy(["http_proxy": "p:1"], "http://h/") == "p:1")
        #expect(try proxy(["http_proxy": "p:1"], "https://h/") == nil)
        #expect(try proxy(["HTTPS_PROXY": "http://p:1/"], "https://h/") == "p:1")
        let both = ["HTTPS_PROXY": "p:1", "https_proxy": "q:2"]
        #expect(try proxy(both, "https://h/") == "q:2")
    }

    @Test func `hosts are excepted by name, subdomain, address and port`() throws {
        for (list, url, isDirect) in [
            ("*", "http://h/", true), ("example.com", "http://example.com/", true),
            ("example.com", "http://a.example.com/", true),
            (".example.com", "http://x.example.com/", true),
            ("example.com", "http://badexample.com/", false), ("h:80", "http://h/", true),
            ("h:81", "http://h/", false), ("a, 169.254.169.254", "http://169.254.169.254/", true),
            ("254", "http://169.254.169.254/", false), ("::1", "http://[::1]/", true),
            ("", "http://h/", false),
        ] {
            let found = try proxy(["http_proxy": "p:1", "no_proxy": list], url)
            #expect((found == nil) == isDirect, "\(list) \(url)")
        }
    }

    @Test func `a login is decoded, sent and not shown`() throws {
        let proxies = try HTTPProxies(environment: ["https_proxy": "http://a:p%40ss@p:1"])
        let proxy = try #require(proxies.proxy(for: try HTTPURL("https://h/")))
        #expect(proxy.fields == [HTTPField("Proxy-Authorization", "Basic YTpwQHNz")])
        #expect(!"\(proxy)".contains("p@ss"))
        #expect(throws: HTTPProxyError.scheme(variable: "https_proxy")) {
            try HTTPProxies(environment: ["https_proxy": "https://p:1"])
        }
        #expect(throws: HTTPProxyError.unusable(variable: "https_proxy", .badPort)) {
            try HTTPProxies(environment: ["https_proxy": "secret:x@p:y"])
        }
    }
}
