internal import Deployment
internal import HTTP

/// What an answer of Secrets Manager that is no success says. It does no I/O.
///
/// Source: GetSecretValue and "Common errors", AWS Secrets Manager API Reference.
struct SecretsFailure: Equatable, Sendable {
    var status: Int
    /// Such as `ResourceNotFoundException`; empty where the server sends none.
    var code: String
    var message: String

    init(_ answer: HTTPAnswer) {
        status = answer.status
        let value = try? JSONReader.value(answer.content)
        let type = value?["__type"]?.text ?? ""
        // A namespace may stand before it.
        code = CredentialsAnswer.shown(type.split(separator: "#").last.map { String($0) } ?? "")
        message = CredentialsAnswer.shown(
            value?["message"]?.text ?? value?["Message"]?.text ?? "")
    }

    var isOfExpiredCredentials: Bool { code == "ExpiredTokenException" || code == "ExpiredToken" }

    /// Whether the same question may have another answer soon.
    static func isTemporary(_ answer: HTTPAnswer) -> Bool {
        if answer.status >= 500 || answer.status == 429 { return true }
        guard answer.status == 400 else { return false }
        return ["ThrottlingException", "Throttling", "RequestLimitExceeded"].contains(
            SecretsFailure(answer).code)
    }

    /// What to do, and what the server says.
    var text: String {
        let name = code.isEmpty ? "status \(status)" : code
        let told = message.isEmpty ? name : "\(name): \(message)"
        switch code {
        case "ResourceNotFoundException":
            return "there is no such secret, or it has no value yet: create it as a JSON object "
                + "(\(told))"
        case "AccessDeniedException":
            return "these credentials may not read it: they need secretsmanager:GetSecretValue "
                + "(\(told))"
        case "DecryptionFailure":
            return "these credentials may not use its key: they need kms:Decrypt (\(told))"
        case "InvalidRequestException":
            return "it cannot be read now, as one that is to be deleted (\(told))"
        case "UnrecognizedClientException", "InvalidSignatureException",
            "MissingAuthenticationTokenException", "IncompleteSignature",
            "InvalidClientTokenId", "SignatureDoesNotMatch":
            return "the credentials are not valid (\(told))"
        case "ExpiredTokenException", "ExpiredToken":
            return "the credentials have expired (\(told))"
        case "" where status == 401 || status == 403:
            return "refused: the credentials may not be valid, or not be allowed to (\(told))"
        default: return told
        }
    }
}
