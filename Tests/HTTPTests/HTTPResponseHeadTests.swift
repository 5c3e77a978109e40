import Testing

@testable import HTTP

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func parse(_ text: String, limits: HTTPLimits = HTTPLimits()) throws -> HTTPResponseHead? {
    var parser = HTTPHeadParser<HTTPResponseHead>(limits: limits)
    var rest = bytes(text)[...]
    return try parser.parse(&rest)
}

@Suite struct HTTPResponseHeadTests {
    private let text =
        "HTTP/1.1 204 No Content\r\nServer: a b\t\r\nX-Empty:\r\nset-cookie:  é=\"1\"\r\n\r\n"
    private let head = HTTPResponseHead(
        minorVersion: 1, status: 204,
        fields: [
            HTTPField("Server", "a b"), HTTPField("X-Empty", ""),
            HTTPField("set-cookie", "é=\"1\""),
        ])

    @Test func `a head is read, and what follows is left`() throws {
        var parser = HTTPHeadParser<HTTPResponseHead>()
        var rest = bytes(text + "body")[...]
        #expect(try parser.parse(&rest) == head)
        #expect(rest.elementsEqual(bytes("body")))
        #expect(!parser.hasBegun)
    }

    @Test func `in every split of its bytes it is the same, and no prefix of them is a head`()
        throws
    {
        let all = bytes(text)
        for first in 0...all.count {
            for second in first...all.count {
                var parser = HTTPHeadParser<HTTPResponseHead>()
                var found: HTTPResponseHead?
                for part in [all[..<first], all[first..<second], all[second...]] {
                    guard !part.isEmpty else { continue }
                    #expect(found == nil)
                    var rest = part
                    found = try parser.parse(&rest)
                    #expect(rest.isEmpty)
                }
                #expect(found == head)
            }
        }
    }

    @Test func `a single LF ends a line, and a reason may be missing`() throws {
        let expected = HTTPResponseHead(
            minorVersion: 0, status: 200, fields: [HTTPField("a", "b")])
        #expect(try parse("HTTP/1.0 200\na:b\n\n") == expected)
        #expect(try parse("HTTP/1.0 200 \r\na: b\n\r\n") == expected)
        // RFC 9110, section 2.5: a higher minor version is read as the highest known.
        #expect(try parse("HTTP/1.7 200 x y z\r\n\r\n")?.minorVersion == 1)
    }

    @Test(arguments: [
        ("HTTP/2 200 OK\r\n", HTTPParseError.badVersion("HTTP/2")),
        ("HTTP/2.0 200 OK\r\n", .badVersion("HTTP/2.0")),
        ("HTTP/1.x 200 OK\r\n", .badVersion("HTTP/1.x")),
        ("HTTP/1.10 200 OK\r\n", .badVersion("HTTP/1.10")),
        ("http/1.1 200 OK\r\n", .badStatusLine("http/1.1 200 OK")),
        ("\r\n", .badStatusLine("")),
        ("SSH-2.0-OpenSSH\r\n", .badStatusLine("SSH-2.0-OpenSSH")),
        ("HTTP/1.1\r\n", .badStatusLine("HTTP/1.1")),
        ("HTTP/1.1  200 OK\r\n", .badStatusLine("HTTP/1.1  200 OK")),
        ("HTTP/1.1 20 OK\r\n", .badStatusLine("HTTP/1.1 20 OK")),
        ("HTTP/1.1 2000 OK\r\n", .badStatusLine("HTTP/1.1 2000 OK")),
        ("HTTP/1.1 +20 OK\r\n", .badStatusLine("HTTP/1.1 +20 OK")),
        ("HTTP/1.1 099 OK\r\n", .badStatusLine("HTTP/1.1 099 OK")),
        ("HTTP/1.1 200 O\u{1}K\r\n", .badStatusLine("HTTP/1.1 200 O?K")),
        ("HTTP/1.1 200 OK\r\nno colon\r\n", .badField("no colon")),
        ("HTTP/1.1 200 OK\r\n: value\r\n", .badField(": value")),
        ("HTTP/1.1 200 OK\r\na : b\r\n", .badField("a : b")),
        ("HTTP/1.1 200 OK\r\na: b\r\n folded\r\n", .badField(" folded")),
        ("HTTP/1.1 200 OK\r\na: b\rc: d\r\n", .badField("a: b?c: d")),
        ("HTTP/1.1 200 OK\r\na: b\0\r\n", .badField("a: b?")),
        ("HTTP/1.1 200 OK\r\né: b\r\n", .badField("??: b")),
    ])
    func `what is not HTTP is refused by what was seen`(_ text: String, _ error: HTTPParseError) {
        #expect(throws: error) { try parse(text) }
    }

    @Test func `each limit is exact`() throws {
        var limits = HTTPLimits()
        limits.headByteCount = bytes(text).count
        #expect(try parse(text, limits: limits) == head)
        limits.headByteCount -= 1
        #expect(throws: HTTPParseError.headTooLong(limit: limits.headByteCount)) {
            try parse(text, limits: limits)
        }
        limits = HTTPLimits()
        limits.fieldCount = 3
        #expect(try parse(text, limits: limits) == head)
        limits.fieldCount = 2
        #expect(throws: HTTPParseError.tooManyFields(limit: 2)) { try parse(text, limits: limits) }
    }

    @Test func `a line without an end is refused at the limit, a byte at a time too`() {
        var limits = HTTPLimits()
        limits.headByteCount = 100
        var parser = HTTPHeadParser<HTTPResponseHead>(limits: limits)
        var count = 0
        #expect(throws: HTTPParseError.startLineTooLong(limit: 100)) {
            while count < 1_000 {
                var rest: ArraySlice<UInt8> = [UInt8(ascii: "H")]
                _ = try parser.parse(&rest)
                count += 1
            }
        }
        #expect(count == 100)
    }

    @Test func `list fields are taken together`() throws {
        let head = try #require(
            try parse("HTTP/1.1 200 OK\r\nA: x, y ,\r\nb: no\r\na:\t, z\r\n\r\n"))
        #expect(head.fields.elements("a") == ["x", "y", "z"])
        #expect(head.fields.values("a") == ["x, y ,", ", z"])
        // A sign that joins what follows it does not hide a comma.
        #expect([HTTPField("A", "x\u{0600}, y")].elements("a") == ["x\u{0600}", "y"])
    }
}
