internal import Deployment
internal import Glibc
package import HTTP
package import Transport

/// AWS's Secrets Manager.
///
/// Source: GetSecretValue, AWS Secrets Manager API Reference.
package struct SecretsManager: Sendable {
    private let endpoint: HTTPURL
    private let region: String
    private let credentials: any CredentialsSource
    private let asking: AWSAsking

    /// A secret has up to 64 KiB, and JSON may write each of its bytes as six.
    static let contentLimit = 512 << 10

    /// - Parameters:
    ///   - environment: it may name another server, in `AWS_ENDPOINT_URL_SECRETS_MANAGER` or
    ///     `AWS_ENDPOINT_URL`.
    ///   - client: it may lead through proxies.
    package init(
        environment: [String: String], region: String, credentials: any CredentialsSource,
        client: HTTPClient, loop: EventLoop
    ) throws(CredentialsError) {
        try self.init(
            environment: environment, region: region, credentials: credentials,
            asking: AWSAsking(
                client: client, clock: { time(nil) }, sleep: { await loop.sleep(for: $0) },
                attempts: 4, deadline: .seconds(10), contentLimit: Self.contentLimit,
                isWorthAsking: SecretsFailure.isTemporary))
    }

    init(
        environment: [String: String], region: String, credentials: any CredentialsSource,
        asking: AWSAsking
    ) throws(CredentialsError) {
        endpoint = try CredentialsOrder(environment: environment).endpoint(
            of: .secretsmanager, region: region)
        self.region = region
        self.credentials = credentials
        self.asking = asking
    }

    /// The name under which the seed keeps an application's secrets: no name may have a `_`.
    package static func name(of application: String, _ environment: String) -> String {
        "deployex-\(application)-\(environment)-secrets".map { $0 == "_" ? "-" : "\($0)" }.joined()
    }

    /// The present version of a secret that is a JSON object.
    package func secret(_ name: String) async throws(SecretsError) -> SecretValues {
        let place = "the secret \(name) in \(region)"
        var request = HTTPRequest("POST", endpoint)
        request.fields = [
            HTTPField("Content-Type", "application/x-amz-json-1.1"),
            HTTPField("X-Amz-Target", "secretsmanager.GetSecretValue"),
        ]
        request.content = .bytes(Array("{\"SecretId\":\(Self.quoted(name))}".utf8))
        var hasRenewed = false
        while true {
            let known: AWSCredentials
            do throws(CredentialsError) {
                known = try await credentials.credentials()
            } catch {
                throw SecretsError("\(place): \(error)", isTemporary: true)
            }
            let answer: HTTPAnswer
            do throws(HTTPError) {
                answer = try await asking.answer(
                    request, signedBy: SignatureV4(region: region, service: "secretsmanager"),
                    as: known)
            } catch {
                throw SecretsError("\(place): \(error)", isTemporary: true)
            }
            if answer.isSuccess { return try SecretValues(answer: answer.content, place) }
            let failure = SecretsFailure(answer)
            guard failure.isOfExpiredCredentials, !hasRenewed else {
                throw SecretsError(
                    "\(place): \(failure.text)", isTemporary: SecretsFailure.isTemporary(answer))
            }
            hasRenewed = true
            await credentials.invalidate()
        }
    }

    /// A text of JSON. Names of applications are plain, so that little has to be escaped.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Why a secret is not known, and what to do.
package struct SecretsError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String
    /// Whether asking again later may help without anybody doing anything.
    package var isTemporary: Bool

    package init(_ description: String, isTemporary: Bool = false) {
        self.description = description
        self.isTemporary = isTemporary
    }
}
