import Testing

@testable import Dashboard

@Suite struct RequestPathTests {
    @Test(arguments: [
        ("/", []), ("/a", ["a"]), ("/a/", ["a"]), ("/a%20b/%C3%A9", ["a b", "é"]),
        ("/a+b", ["a+b"]), ("/%2Fetc", ["/etc"]), ("/a%2e", ["a."]),
    ])
    func `segments are decoded`(_ path: String, _ segments: [String]) {
        #expect(RequestPath(path)?.segments == segments)
    }

    @Test(arguments: [
        "", "a", "*", "//", "//a", "/a//b", "/.", "/a/../b", "/a/%2e%2E/b", "/%", "/%a", "/%zz",
        "/%00", "/a%0d%0ab", "/%7f", "/%ff", "/%C3", "/%ED%A0%80",
        "/" + Array(repeating: "a", count: 17).joined(separator: "/"),
    ])
    func `what means nothing is no path`(_ path: String) {
        #expect(RequestPath(path) == nil)
    }

    @Test func `fields of a query and a form`() throws {
        let fields = try #require(FormFields("a=1&b=x+y%26&c&d=&d=2"))
        #expect(fields["a"] == "1")
        #expect(fields["b"] == "x y&")
        #expect(fields["c"] == "")
        // Which of the two would it be?
        #expect(fields["d"] == nil)
        #expect(fields["e"] == nil)
        for text in [
            "a=%", "%=1", "a=%00", Array(repeating: "a=1", count: 33).joined(separator: "&"),
        ] {
            #expect(FormFields(text) == nil)
        }
    }
}

@Suite struct RouterTests {
    private let router = Router<String>([
        .init("GET", "/", "root"), .init("GET", "/a", "a"), .init("POST", "/a", "post a"),
        .init("GET", "/a/:x/b/:y", "xy"), .init("POST", "/c", "c"),
    ])

    private func found(_ method: String, _ path: String) -> String {
        guard let path = RequestPath(path) else { return "no path" }
        switch router.match(method: method, path: path) {
        case .found(let answer, let parameters):
            return ([answer] + parameters.sorted { $0.key < $1.key }.map(\.value)).joined(
                separator: " ")
        case .otherMethods(let methods): return "only \(methods.joined(separator: " "))"
        case .notFound: return "nothing"
        }
    }

    @Test(arguments: [
        ("GET", "/", "root"), ("GET", "/a", "a"), ("HEAD", "/a/", "a"), ("POST", "/a", "post a"),
        ("GET", "/a/1/b/2%203", "xy 1 2 3"), ("PUT", "/a", "only GET POST"),
        ("GET", "/c", "only POST"),
        ("GET", "/b", "nothing"), ("GET", "/a/1/b", "nothing"), ("GET", "/A", "nothing"),
        ("get", "/a", "only GET POST"),
    ])
    func `a request finds its answer`(_ method: String, _ path: String, _ answer: String) {
        #expect(found(method, path) == answer)
    }
}
