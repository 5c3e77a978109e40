import HTTP
import TestKit
import Testing
import Transport

@testable import AWS

/// Secrets from a scripted server on loopback.
@Suite(.timeLimit(.minutes(2))) struct SecretsManagerTests {
    private let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func read(
        _ name: String = "n", credentials: Counted = Counted(),
        _ answer: @escaping @Sendable (CredentialsServer.Question, Int) async -> HTTPServerResponse
    ) async throws -> (SecretValues, CredentialsServer) {
        let server = try await CredentialsServer(loop: loop, answer: answer)
        let manager = try SecretsManager(
            environment: ["AWS_ENDPOINT_URL_SECRETS_MANAGER": server.url], region: "eu-west-1",
            credentials: credentials, client: HTTPClient(loop: loop), loop: loop)
        return (try await manager.secret(name), server)
    }

    private func refusal(_ answer: HTTPServerResponse) async throws -> String {
        do {
            _ = try await read { _, _ in answer }
            return "none"
        } catch let error as SecretsError {
            return "\(error.isTemporary ? "later: " : "")\(error)"
        }
    }

    private static func secret(_ text: String) -> HTTPServerResponse {
        let quoted = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return CredentialsServer.text(
            200, "{\"ARN\":\"a\",\"Name\":\"n\",\"SecretString\":\"\(quoted)\"}")
    }

    private static func error(_ status: Int, _ type: String) -> HTTPServerResponse {
        CredentialsServer.text(status, "{\"__type\":\"\(type)\",\"message\":\"told\"}")
    }

    @Test func `a secret's keys are read, with a signed question`() async throws {
        let (secret, server) = try await read("de\"x") { _, _ in
            Self.secret("{\"COOKIE\": \"c\\u00e9\", \"N\": 5}")
        }
        #expect(try secret.value(of: "COOKIE") == "cé")
        #expect(try secret.value(of: "OTHER") == nil)
        #expect(throws: SecretsError("the secret de\"x in eu-west-1: N is a number, not a string"))
        { try secret.value(of: "N") }
        let question = try #require(server.questions.first)
        #expect(question.line == "POST /")
        #expect(question.content == "{\"SecretId\":\"de\\\"x\"}")
        #expect(question.field("x-amz-target") == "secretsmanager.GetSecretValue")
        #expect(question.field("content-type") == "application/x-amz-json-1.1")
        #expect(
            question.field("authorization")?.contains("/eu-west-1/secretsmanager/aws4_request")
                == true)
    }

    @Test func `no text of a secret shows its values`() async throws {
        let (secret, _) = try await read { _, _ in Self.secret("{\"K\": \"wJalr\"}") }
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!"\(secret) \(String(reflecting: secret)) \(dumped)".contains("wJalr"))
    }

    @Test func `refusals say what to do`() async throws {
        for (type, text) in [
            ("ResourceNotFoundException", "there is no such secret"),
            ("com.amazonaws.secretsmanager#ResourceNotFoundException", "there is no such secret"),
            ("AccessDeniedException", "secretsmanager:GetSecretValue"),
            ("DecryptionFailure", "kms:Decrypt"), ("InvalidRequestException", "to be deleted"),
            ("UnrecognizedClientException", "not valid"), ("Other", "eu-west-1: Other: told"),
        ] {
            let told = try await refusal(Self.error(400, type))
            #expect(told.contains(text) && told.contains("told"), "\(told)")
            #expect(told.hasPrefix("the secret n in eu-west-1: "), "\(told)")
        }
    }

    @Test func `answers that are no secret are named and not shown`() async throws {
        let cases = [
            (CredentialsServer.text(200, "wJalr"), "the answer is not JSON"),
            (CredentialsServer.text(200, "[]"), "the answer is an array, not a JSON object"),
            (CredentialsServer.text(200, "{}"), "the answer has no SecretString"),
            (CredentialsServer.text(200, "{\"SecretBinary\":\"eA==\"}"), "it is binary"),
            (Self.secret("wJalr"), "its text is not JSON"),
            (Self.secret("\"wJalr\""), "its text is a string, not a JSON object"),
        ]
        for (answer, text) in cases {
            let told = try await refusal(answer)
            #expect(told.contains(text) && !told.contains("wJalr"), "\(told)")
        }
        let much = CredentialsServer.text(200, String(repeating: " ", count: 600_000))
        #expect(try await refusal(much).contains("later: "))
    }

    @Test func `what cannot be answered now is asked again`() async throws {
        let (secret, server) = try await read { _, number in
            switch number {
            case 0: CredentialsServer.text(503, "")
            case 1: Self.error(400, "ThrottlingException")
            default: Self.secret("{\"K\": \"v\"}")
            }
        }
        #expect(try secret.value(of: "K") == "v" && server.lines.count == 3)
        #expect(try await refusal(CredentialsServer.text(500, "")).hasPrefix("later: "))
    }

    @Test func `expired credentials are renewed once`() async throws {
        let credentials = Counted()
        let (secret, server) = try await read(credentials: credentials) { question, _ in
            question.field("authorization")?.contains("Credential=KEY1/") == true
                ? Self.secret("{\"K\": \"v\"}") : Self.error(400, "ExpiredTokenException")
        }
        #expect(try secret.value(of: "K") == "v" && server.lines.count == 2)
        let refusing = Counted()
        await #expect {
            try await read(credentials: refusing) { _, _ in
                Self.error(400, "ExpiredTokenException")
            }
        } throws: { "\($0)".contains("the credentials have expired") }
        #expect(refusing.count.withLock { $0 } == 1)
    }

    @Test func `a secret's name has no underscores`() {
        #expect(SecretsManager.name(of: "my_app", "prod_eu") == "deployex-my-app-prod-eu-secrets")
    }
}

/// Credentials `KEY0`, and `KEY1` after they have been invalidated …
private final class Counted: CredentialsSource {
    let count = Guarded(0)

    func credentials() async throws(CredentialsError) -> AWSCredentials {
        AWSCredentials(
            accessKeyID: "KEY\(count.withLock { $0 })", secretAccessKey: "s")
    }

    func invalidate() async { count.withLock { $0 += 1 } }
}
