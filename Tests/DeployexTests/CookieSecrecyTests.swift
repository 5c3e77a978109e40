import Testing

@testable import deployex

/// Cookies that are guessed, and cookies that are seen.
@Suite struct CookieSecrecyTests {
    @Test(
        arguments: [
            ("cookie", "it is one that everybody tries first"),
            ("Monster", "it is one that everybody tries first"),
            ("my_secret_cookie", "it is one that everybody tries first"),
            ("counter", "it is the name of the application or of the node"),
            ("an_application_with_a_long_name", "it is the name of the application or of the node"),
            ("abcdefghijklmno", "it has fewer than 16 characters"),
            ("", "it has fewer than 16 characters"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "it has fewer than 6 different characters"),
            ("abababababababababababababababab", "it has fewer than 6 different characters"),
            ("abcdefghijklmnop", nil),
            // As Erlang, `openssl rand -hex 32` and mix release make them.
            ("QGKOBXWNIWCLHXNQEHPF", nil),
            ("3fa3c0f1c5b58cd9f0e6c2f5d6e4a9b0", nil),
            ("YTIQ4YBMDQX7C5VZGJVFQHWZ5SXCQ2HQLDKQ5Z2JVBN6Q2ZJ7Q3A====", nil),
        ] as [(String, String?)])
    func `a cookie that is short, known or the name of something is called weak`(
        cookie: String, weakness: String?
    ) {
        let names = ["counter", "An_Application_with_a_long_name"]
        #expect(CookieStrength.weakness(of: cookie, names: names) == weakness)
    }

    @Test(
        arguments: [
            ([], []),
            (["--sname", "a"], []),
            (["--cookie", "x"], [.init(index: 2, offset: 0)]),
            (["start", "-setcookie", "x", "--sname", "a"], [.init(index: 3, offset: 0)]),
            (["ping", "n", "--cookie=x"], [.init(index: 3, offset: 9)]),
            (["-setcookie=x"], [.init(index: 1, offset: 11)]),
            (["--cookie", "--cookie", "y"], [.init(index: 2, offset: 0)]),
            (
                ["--cookie", "x", "--cookie", "y", "-setcookie", "z"],
                [
                    .init(index: 2, offset: 0), .init(index: 4, offset: 0),
                    .init(index: 6, offset: 0),
                ]
            ),
            (["rpc", "--", "--cookie", "x"], [.init(index: 4, offset: 0)]),
            (["ping", "n", "--cookie"], []),
            (["--cookies", "x", "--cook"], []),
        ] as [([String], [ArgumentSecrets.Place])])
    func `every value of a cookie's option is found`(
        arguments: [String], places: [ArgumentSecrets.Place]
    ) {
        #expect(ArgumentSecrets.places(in: ["deployex"] + arguments) == places)
    }
}
