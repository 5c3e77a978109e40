internal import AWS

/// Where secrets are looked for that neither a variable nor a file has.
struct SecretsOptions: Equatable {
    /// The secret in AWS's Secrets Manager; `nil` if it is not asked.
    var name: String?
    /// Its region.
    var region = ""
    /// Whether somebody has said so; otherwise it is what the cloud environment means.
    var isConfigured = false

    /// - Parameters:
    ///   - applications: the first one names the secret, and may say the region.
    /// - Throws: ``UsageError`` that names the setting, its value and what it takes.
    init(
        _ host: Settings, cloud: String?, _ applications: [ApplicationConfiguration]
    ) throws(UsageError) {
        let adapter = host.value(.secretsAdapter)
        let buckets = applications.compactMap { application in
            if case .bucket(let bucket) = application.storage.place { bucket } else { nil }
        }
        switch try adapter?.text() ?? (cloud != nil && !buckets.isEmpty ? "aws" : "env") {
        case "env":
            if let value = host.value(.secretsName) {
                throw UsageError(
                    "\(value.name) is for aws: set \(host.name(of: .secretsAdapter)) to aws, or leave it "
                        + "out", "start")
            }
            return
        case "aws": break
        default:
            throw adapter?.failure("aws or env")
                ?? UsageError("no secrets adapter is configured", "start")
        }
        isConfigured = adapter != nil
        guard
            let region = try host.value(.storageRegion)?.region() ?? buckets.first?.region
        else {
            throw UsageError(
                "\(host.name(of: .storageRegion)) is not set: name the region of Secrets Manager, such as "
                    + "eu-central-1", "start")
        }
        self.region = region
        if let value = host.value(.secretsName) {
            let text = try value.text()
            // Source: GetSecretValue, AWS Secrets Manager API Reference, `SecretId`.
            guard text.isMadeOfLettersDigits(and: "/_+=.@-:"), 1...2048 ~= text.utf8.count else {
                throw value.failure("the name or ARN of a secret")
            }
            name = text
        } else {
            name = SecretsManager.name(of: applications[0].name, cloud ?? "local")
        }
    }
}
