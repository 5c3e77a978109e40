import HTTP
import TestKit
import Testing
import Transport

@testable import AWS

/// Credentials and secrets from moto, which checks signatures.
@Suite(.serialized, .timeLimit(.minutes(5))) struct MotoCredentialsTests {
    private static let shared = Result { try MotoServer() }

    private let loop: EventLoop
    private let moto: MotoServer
    private let folder = TemporaryFolder("moto-credentials")

    init() async throws {
        loop = try .onOwnThread()
        moto = try await offload { try Self.shared.get() }
    }

    private func chain(_ environment: [String: String]) -> CredentialsChain {
        CredentialsChain(
            environment: environment, region: "eu-central-1", client: HTTPClient(loop: loop),
            loop: loop, neighbourDeadline: .seconds(100))
    }

    private func secrets(_ credentials: any CredentialsSource) throws -> SecretsManager {
        try SecretsManager(
            environment: moto.variables, region: "eu-central-1", credentials: credentials,
            client: HTTPClient(loop: loop), loop: loop)
    }

    private func role(secret: String) -> [String: String] {
        folder.write(
            "[default]\nrole_arn = \(moto.role)\nsource_profile = keys\nexternal_id = e\n",
            "config")
        folder.write(
            "[keys]\naws_access_key_id = \(moto.key)\naws_secret_access_key = \(secret)\n", "keys",
            mode: 0o600)
        return [
            "AWS_CONFIG_FILE": folder("config"), "AWS_SHARED_CREDENTIALS_FILE": folder("keys"),
            "AWS_ENDPOINT_URL": moto.address,
        ]
    }

    @Test func `a secret is read with the environment's credentials`() async throws {
        let moto = moto
        try await offload {
            try moto.setSecret("deployex-a-b-secrets", to: "{\"COOKIE\": \"c d\"}")
        }
        let manager = try secrets(chain(moto.variables))
        #expect(try await manager.secret("deployex-a-b-secrets").value(of: "COOKIE") == "c d")
        await #expect {
            try await manager.secret("deployex-nowhere-secrets")
        } throws: { "\($0)".contains("there is no such secret") }
    }

    @Test func `a role that STS gives reads the secret`() async throws {
        let moto = moto
        try await offload { try moto.setSecret("of-role", to: "{\"K\": \"v\"}") }
        let chain = chain(role(secret: moto.secret))
        let found = try await chain.credentials()
        #expect(found.accessKeyID != moto.key && found.sessionToken != nil)
        #expect(found.expiration != nil)
        #expect(try await secrets(chain).secret("of-role").value(of: "K") == "v")
    }

    @Test func `a wrong secret key is refused by name`() async throws {
        await #expect {
            try await chain(role(secret: "wrong")).credentials()
        } throws: { error in
            "\(error)".contains("the credentials that ask for the role are not valid")
                && !"\(error)".contains("wrong")
        }
        var variables = moto.variables
        variables["AWS_SECRET_ACCESS_KEY"] = "wrong"
        let manager = try secrets(chain(variables))
        await #expect {
            try await manager.secret("x")
        } throws: { "\($0)".contains("the credentials may not be valid") }
    }

    @Test func `the instance's metadata gives the role's credentials`() async throws {
        let found = try await chain(["AWS_EC2_METADATA_SERVICE_ENDPOINT": moto.address])
            .credentials()
        #expect(found.accessKeyID == "test-key" && found.sessionToken == "test-session-token")
    }

    @Test func `a web identity's token gives a role's credentials`() async throws {
        folder.write("a.b.c\n", "token")
        // While it checks signatures, moto takes no question without one.
        try await checkSignatures(after: 1)
        let found = try await chain([
            "AWS_WEB_IDENTITY_TOKEN_FILE": folder("token"), "AWS_ROLE_ARN": moto.role,
            "AWS_ENDPOINT_URL_STS": moto.address,
        ]).credentials()
        try await checkSignatures(after: 0)
        #expect(found.sessionToken != nil)
    }

    private func checkSignatures(after count: Int) async throws {
        let request = HTTPRequest(
            "POST", try HTTPURL("\(moto.address)/moto-api/reset-auth"),
            fields: [HTTPField("Content-Type", "text/plain")],
            content: .bytes(Array("\(count)".utf8)))
        let answer = try await HTTPClient(loop: loop).send(
            request, within: .seconds(60), contentLimit: 1_000)
        #expect(answer.status == 200)
    }
}
