import Testing

/// Requests that a server must not take, each with the status of its answer.
struct MalformedRequest: CustomTestStringConvertible, Sendable {
    var text: String
    var status: Int

    var testDescription: String {
        "\(status) for \(text.prefix(60).debugDescription)"
    }

    private static let host = "Host: a\r\n"
    private static let get = "GET / HTTP/1.1\r\n" + host
    private static let post = "POST / HTTP/1.1\r\n" + host
    private static let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"

    static let all: [MalformedRequest] = [
        // The request line.
        (" GET / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET  / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /  HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET / HTTP/1.1 \r\n" + host + "\r\n", 400),
        ("GET\t/\tHTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET / a HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("G\u{1}T / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("G@T / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("é / HTTP/1.1\r\n" + host + "\r\n", 400),
        (String(repeating: "A", count: 33) + " / HTTP/1.1\r\n" + host + "\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{FC}\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        // The version.
        ("GET / HTTP/2\r\n" + host + "\r\n", 505),
        ("GET / HTTP/2.0\r\n" + host + "\r\n", 505),
        ("GET / HTTP/0.9\r\n" + host + "\r\n", 505),
        ("GET / HTTP/1.10\r\n" + host + "\r\n", 505),
        ("GET / HTTP/1,1\r\n" + host + "\r\n", 505),
        ("GET / HTTP/1.1a\r\n" + host + "\r\n", 505),
        ("GET / http/1.1\r\n" + host + "\r\n", 400),
        ("GET / HTPP/1.1\r\n" + host + "\r\n", 400),
        // The target.
        ("GET a HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET * HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /a#b HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /é HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /\u{7F} HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET ftp://a/ HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET http:///a HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET http://u:p@a/ HTTP/1.1\r\n" + host + "\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\n" + host + "\r\n", 400),
        ("GET /" + String(repeating: "a", count: 8_000) + " HTTP/1.1\r\n" + host + "\r\n", 414),
        ("GET /" + String(repeating: "a", count: 20_000), 414),
        // The host.
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (get + "Host: a\r\n\r\n", 400),
        (get + "host: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400),
        // Fields.
        (get + "no colon\r\n\r\n", 400),
        (get + ": empty\r\n\r\n", 400),
        (get + "A : b\r\n\r\n", 400),
        (get + "A b: c\r\n\r\n", 400),
        (get + " A: b\r\n\r\n", 400),
        (get + "A: b\r\n folded\r\n\r\n", 400),
        (get + "A: b\r\n\tfolded\r\n\r\n", 400),
        (get + "A: b\0c\r\n\r\n", 400),
        (get + "A: b\u{1B}[2J\r\n\r\n", 400),
        (get + "A: b\rC: d\r\n\r\n", 400),
        (get + "A(b): c\r\n\r\n", 400),
        (get + "É: c\r\n\r\n", 400),
        (get + String(repeating: "A: b\r\n", count: 101) + "\r\n", 431),
        (get + "A: " + String(repeating: "b", count: 17_000) + "\r\n\r\n", 431),
        // Line ends that a proxy may have seen otherwise.
        ("GET / HTTP/1.1\n" + host + "\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        (get + "\n", 400),
        (get + "A: b\nContent-Length: 5\r\n\r\nhello", 400),
        // The content's length.
        (post + "Content-Length: -1\r\n\r\n", 400),
        (post + "Content-Length: +1\r\n\r\na", 400),
        (post + "Content-Length: 1 1\r\n\r\na", 400),
        (post + "Content-Length: 0x1\r\n\r\na", 400),
        (post + "Content-Length: 1.0\r\n\r\na", 400),
        (post + "Content-Length: \r\n\r\na", 400),
        (post + "Content-Length: 1, 1\r\n\r\na", 400),
        (post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\naa", 400),
        (post + "Content-Length: 18446744073709551617\r\n\r\na", 400),
        (post + "Content-Length: 65537\r\n\r\n", 413),
        (post + "Content-Length: 999999999999999999\r\n\r\n", 413),
        // Chunks.
        (post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (post + "Transfer-Encoding: gzip\r\n\r\n", 501),
        (post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (post + "Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
        (post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (post + "Transfer-Encoding: chunked;a=b\r\n\r\n", 501),
        (post + "Transfer-Encoding: \u{B}chunked\r\n\r\n", 400),
        (post + "Transfer-Encoding:\r\n\r\n", 501),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (chunked + "x\r\n", 400),
        (chunked + "\r\n", 400),
        (chunked + "-1\r\n", 400),
        (chunked + "0x1\r\na\r\n", 400),
        (chunked + "1 1\r\na\r\n", 400),
        (chunked + "1\na\r\n0\r\n\r\n", 400),
        (chunked + "1\r\nab\r\n", 400),
        (chunked + "1\r\na\n0\r\n\r\n", 400),
        (chunked + "ffffffffffffffff\r\n", 400),
        (chunked + "1;" + String(repeating: "a", count: 300) + "\r\n", 400),
        (chunked + "0\r\nTrailer: " + String(repeating: "a", count: 17_000) + "\r\n\r\n", 431),
        (chunked + "10001\r\n" + String(repeating: "a", count: 0x10001), 413),
        // Expectations.
        (post + "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417),
    ].map { MalformedRequest(text: $0.0, status: $0.1) }
}
