import TestKit
import Testing

@testable import HTTP

@Suite struct HTTPRequestHeadTests {
    private func parse(_ text: String) throws -> HTTPRequestHead? {
        var parser = HTTPHeadParser<HTTPRequestHead>()
        var rest = Array(text.utf8)[...]
        return try parser.parse(&rest)?.checked()
    }

    @Test func `a head is read`() throws {
        let head = try #require(
            try parse("\r\nPOST /a/b?c=d?e HTTP/1.1\r\nHost: Example.org:80\r\nA:b\r\n\r\n"))
        #expect(head.method == "POST")
        #expect(head.path == "/a/b")
        #expect(head.query == "c=d?e")
        #expect(head.host == "example.org:80")
        #expect(head.minorVersion == 1)
        #expect(head.fields == [HTTPField("Host", "Example.org:80"), HTTPField("A", "b")])
    }

    @Test(arguments: [
        ("GET http://b/c?d HTTP/1.1", "/c?d", "b"), ("GET HTTPS://B HTTP/1.1", "/", "b"),
        ("GET http://b:8?d HTTP/1.1", "/?d", "b:8"), ("OPTIONS * HTTP/1.1", "*", "a"),
        ("GET //x/y HTTP/1.1", "//x/y", "a"),
    ])
    func `every form of target is read, and one with a host wins over the field`(
        _ line: String, _ target: String, _ host: String
    ) throws {
        let head = try #require(try parse(line + "\r\nHost: a\r\n\r\n"))
        #expect(head.target == target)
        #expect(head.host == host)
    }

    @Test(arguments: ["a", "a:1", "a.b-c_d~e", "127.0.0.1:65535", "[::1]", "[::1]:4000"])
    func `hosts are read`(_ host: String) throws {
        #expect(try parse("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")?.host == host)
    }

    @Test func `only HTTP 1_0 needs no host`() throws {
        let head = try #require(try parse("GET / HTTP/1.0\r\n\r\n"))
        #expect(head.host == nil)
        #expect(throws: HTTPParseError.badHost("none")) { try parse("GET / HTTP/1.1\r\n\r\n") }
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, Close\r\n", false), ("1.2", "", true),
        ("1.0", "", false), ("1.0", "Connection: keep-alive\r\n", false),
    ])
    func `whether the connection stays`(
        _ version: String, _ field: String, _ keeps: Bool
    ) throws {
        let head = try parse("GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n")
        #expect(head?.keepsConnection == keeps)
    }
}
