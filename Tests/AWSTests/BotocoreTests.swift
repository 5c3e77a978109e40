import FoundationEssentials
import HTTP
import TestKit
import Testing
import Transport

@testable import AWS

/// Signatures beside those of botocore, AWS's own library.
@Suite(.timeLimit(.minutes(10))) struct BotocoreTests {
    private struct Case: Decodable {
        var method: String
        var url: String
        var fields: [String: String]
        var body: String
        var key: String
        var secret: String
        var token: String?
        var region: String
        var service: String
        var seconds: Int
        var unsigned: Bool
        var authorization: String
    }

    @Test func `ten thousand random requests have botocore's signatures`() async throws {
        let script = BuiltProgram.root + "/Tests/AWSTests/random-signatures.py"
        let python = BuiltProgram.root + "/.build/python/bin/python"
        let text = try await offload {
            try ChildProcess.run(
                python, [script, "1", "10000"], errors: .inherited, within: .seconds(600))
        }
        let lines = text.split(separator: "\n")
        #expect(lines.count == 10_000)
        var differences: [String] = []
        for line in lines {
            let found = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            let body = stride(from: 0, to: found.body.utf8.count, by: 2).compactMap { place in
                UInt8(
                    String(decoding: Array(found.body.utf8)[place..<place + 2], as: UTF8.self),
                    radix: 16)
            }
            var request = HTTPRequest(
                found.method, try HTTPURL(found.url),
                fields: found.fields.map { HTTPField($0.key, $0.value) }, content: .bytes(body))
            SignatureV4(region: found.region, service: found.service).sign(
                &request, payload: found.unsigned ? .unsigned : .bytes(body),
                credentials: AWSCredentials(
                    accessKeyID: found.key, secretAccessKey: found.secret,
                    sessionToken: found.token),
                at: found.seconds)
            let ours = request.fields.values("authorization").first.map { "\($0)" }
            if ours != found.authorization {
                differences.append("\(found.url) \(found.service): \(ours ?? "")")
            }
        }
        #expect(differences.isEmpty, "\(differences.count), such as \(differences.prefix(3))")
    }
}
