import Testing

@testable import AWS

/// Answers that hold credentials, and such that do not.
@Suite struct CredentialsAnswerTests {
    private let expected = AWSCredentials(
        accessKeyID: "ASIA1", secretAccessKey: "s/+=", sessionToken: "tok",
        expiration: 1_769_860_800)
    private let json = """
        {"Code": "Success", "AccessKeyId": "ASIA1", "SecretAccessKey": "s/+=", "Token": "tok",
         "Expiration": "2026-01-31T12:00:00Z"}
        """
    private let xml = """
        <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>
        <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>
        <SessionToken>tok</SessionToken><Expiration>2026-01-31T12:00:00Z</Expiration>
        </Credentials></AssumeRoleResult></AssumeRoleResponse>
        """

    private func ofServer(_ text: String) throws -> AWSCredentials {
        try CredentialsAnswer.ofServer(Array(text.utf8), "p")
    }
    private func ofSTS(_ text: String) throws -> AWSCredentials {
        try CredentialsAnswer.ofSTS(Array(text.utf8), "p")
    }
    private func ofProcess(_ text: String) throws -> AWSCredentials {
        try CredentialsAnswer.ofProcess(Array(text.utf8), "p")
    }

    @Test func `each kind of answer is read`() throws {
        #expect(try ofServer(json) == expected)
        #expect(try ofSTS(xml) == expected)
        let process = json.replacing("\"Code\": \"Success\"", with: "\"Version\": 1")
            .replacing("Token", with: "SessionToken")
        #expect(try ofProcess(process) == expected)
        #expect(
            try ofProcess(
                "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"Expiration\":null}"
            ) == AWSCredentials(accessKeyID: "A", secretAccessKey: "B"))
    }

    @Test func `what is missing or wrong is named, and nothing is shown`() {
        let cases: [(() throws -> AWSCredentials, String)] = [
            ({ try ofServer("wJalr") }, "p: it is not JSON"),
            ({ try ofServer("[\"wJalr\"]") }, "p: its JSON is an array, not an object"),
            ({ try ofServer("{}") }, "p: AccessKeyId or SecretAccessKey is missing"),
            (
                { try ofServer(json.replacing("Success", with: "AssumeRoleUnauthorizedAccess")) },
                "p: it has no credentials: AssumeRoleUnauthorizedAccess"
            ),
            (
                { try ofServer(json.replacing("Expiration", with: "Never")) },
                "p: Expiration is missing"
            ),
            (
                { try ofServer(json.replacing("2026-01", with: "wJalr")) },
                "p: Expiration is not a time"
            ),
            (
                { try ofServer(json.replacing("\"2026-01-31T12:00:00Z\"", with: "5")) },
                "p: Expiration is not a text"
            ),
            (
                { try ofServer(json.replacing("s/+=", with: "wJalr\\r\\nX: y")) },
                "p: the secret key cannot be one"
            ),
            (
                { try ofServer(json.replacing("ASIA1", with: "")) },
                "p: the access key cannot be one"
            ),
            (
                { try ofServer(json.replacing("tok", with: "é")) },
                "p: the session token cannot be one"
            ),
            ({ try ofProcess("{}") }, "p: what it prints must have \"Version\": 1"),
            (
                { try ofProcess("{\"Version\": 2}") },
                "p: what it prints must have \"Version\": 1"
            ),
            ({ try ofSTS("<html>wJalr</html>") }, "p: the answer has no credentials in it"),
            (
                { try ofSTS(xml.replacing("SessionToken", with: "Other")) },
                "p: the answer has no SessionToken"
            ),
            (
                { try ofSTS(xml.replacing("s/+=", with: "<b>wJalr</b>")) },
                "p: the answer has no SecretAccessKey"
            ),
            (
                { try ofSTS(xml.replacing("s/+=", with: "wJalr&evil;")) },
                "p: the answer has no SecretAccessKey"
            ),
            (
                { try ofSTS(xml.replacing("s/+=", with: String(repeating: "x", count: 40_000))) },
                "p: the answer has no SecretAccessKey"
            ),
        ]
        for (read, text) in cases {
            #expect(throws: CredentialsError(text)) { try read() }
        }
    }

    @Test func `every cut of an answer is an error, not a trap`() {
        for count in 0..<json.utf8.count {
            let cut = Array(json.utf8.prefix(count))
            #expect(throws: CredentialsError.self) { try CredentialsAnswer.ofServer(cut, "p") }
        }
        // What follows the credentials is not looked at.
        let end = xml.utf8.count - "</AssumeRoleResult></AssumeRoleResponse>".utf8.count - 1
        for count in 0..<end {
            let cut = Array(xml.utf8.prefix(count))
            #expect(throws: CredentialsError.self) { try CredentialsAnswer.ofSTS(cut, "p") }
        }
    }

    @Test func `an element's references are resolved`() {
        let bytes = Array("<a>&lt;x&gt; &amp;amp; &quot;&apos;</a>".utf8)
        #expect(XMLElement.text("a", in: bytes[...]) == "<x> &amp; \"'")
        for text in ["<a>&", "<a>&lt</a>", "<a>&x;</a>", "<a>", "</a><a>", "<a><b></a>"] {
            #expect(XMLElement.text("a", in: Array(text.utf8)[...]) == nil, "\(text)")
        }
    }
}
