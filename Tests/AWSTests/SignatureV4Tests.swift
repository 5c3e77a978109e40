import HTTP
import Testing

@testable import AWS

/// AWS's published test suite for Signature Version 4.
@Suite struct SignatureV4Tests {
    private let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    private let moment = 1_440_938_160  // 2015-08-30T12:36:00Z

    @Test(arguments: [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ])
    func `a plain request is signed as AWS has published it`(
        method: String, path: String, signature: String
    ) throws {
        var request = HTTPRequest(
            method, try HTTPURL("https://example.amazonaws.com\(path)"))
        SignatureV4(region: "us-east-1", service: "service")
            .sign(&request, payload: .bytes([]), credentials: credentials, at: moment)
        #expect(
            request.fields.values("authorization") == [
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                    + "SignedHeaders=host;x-amz-date, Signature=\(signature)"
            ])
    }

    @Test func `no text of credentials shows their secrets`() {
        var dumped = ""
        dump(credentials, to: &dumped)
        #expect(!"\(credentials) \(String(reflecting: credentials)) \(dumped)".contains("wJalr"))
    }
}
