import Testing

@testable import deployex

@Suite struct HTTPReadinessTests {
    @Test(arguments: [
        ("", HTTPReadiness.StatusLine.incomplete),
        ("HTTP/1.1 20", .incomplete),
        ("HTTP/1.1 200 OK\r\n", .status(200)),
        ("HTTP/1.0 503\r\nx", .status(503)),
        ("HTTP/1.1 204 \n", .status(204)),
        ("HTTP/1.1 20 OK\r\n", .noHTTP),
        ("HTTP/1.1 abc OK\r\n", .noHTTP),
        ("HTTP/2 200\r\n", .noHTTP),
        ("220 mail ESMTP\r\n", .noHTTP),
        ("\r\n", .noHTTP),
        (String(repeating: "x", count: 256), .noHTTP),
    ])
    func `the status line decides, as soon as it is there`(
        text: String, status: HTTPReadiness.StatusLine
    ) {
        #expect(HTTPReadiness.status(Array(text.utf8)) == status)
    }
}
