internal import AWS
internal import ErlDist
internal import Transport

/// The secrets that neither a variable nor a configured file has. They are in systemd's folder of
/// credentials (`LoadCredential=`, systemd.exec(5)), or in AWS's Secrets Manager.
///
/// Each is found under the name of its variable. None of them becomes a variable of this process,
/// where others could read it.
struct StartSecrets: Sendable {
    private static let cookie = "DEPLOYEX_ERLANG_COOKIE"
    static let names = [
        cookie, "DEPLOYEX_API_TOKEN", "DEPLOYEX_ADMIN_PASSWORD_HASH",
        "DEPLOYEX_VIEWER_PASSWORD_HASH", "DEPLOYEX_WEBHOOK_SECRET_URL", "DEPLOYEX_WEBHOOK_SECRET",
        "DEPLOYEX_SLACK_SECRET_URL", "DEPLOYEX_PAGERDUTY_TOKEN",
    ]
    private static let maximumByteCount = 4096

    private let configurationFile: String?
    private let options: DistributionOptions
    private let environment: [String: String]
    private let loop: EventLoop

    /// - Parameters:
    ///   - options: the command line, which may have the cookie.
    ///   - environment: deployex's variables, as they were given.
    init(
        configurationFile: String?, _ options: DistributionOptions, environment: [String: String],
        loop: EventLoop
    ) {
        self.configurationFile = configurationFile
        self.options = options
        self.environment = environment
        self.loop = loop
    }

    /// The variables with the secrets that were found, as the configuration is read from them.
    ///
    /// Without an answer of Secrets Manager, a deployex that has a cookie goes on: another one, or
    /// that which the last deployex has left, whose instances may run.
    func atStart(
        log: (LogLevel, String) -> Void
    ) async throws -> [String: String] {
        let configuration = try await configuration()
        let found = try await ofSystemd(configuration)
        do {
            return try await completed(found, configuration)
        } catch let error as SecretsError {
            let (basePath, options) = (configuration.basePath, configuration.secrets)
            let left = await offload { NodeRecord.read(in: basePath) }
            var hasLeft = false
            if case .found = left { hasLeft = true }
            let hasCookie = try !missing(configuration, found).contains(Self.cookie)
            guard error.isTemporary, hasLeft || hasCookie else {
                let other =
                    options.isConfigured
                    ? "" : "; or set DEPLOYEX_SECRETS_ADAPTER=env, and give the secrets another way"
                throw CommandFailure("\(error)\(other)")
            }
            let cookie = hasCookie ? "" : " and with the cookie that the last deployex has left"
            log(.warning, "\(error): going on without what it has\(cookie)")
            return found
        }
    }

    /// The variables with the secrets as they are now, and the configuration from them.
    func again() async throws -> ([String: String], ServerConfiguration) {
        let configuration = try await configuration()
        let found = try await completed(try await ofSystemd(configuration), configuration)
        let file = configurationFile
        return try await offload { () throws(UsageError) in
            (found, try Server.configuration(file, environment: found))
        }
    }

    private func configuration() async throws(UsageError) -> ServerConfiguration {
        let (file, environment) = (configurationFile, environment)
        return try await offload { () throws(UsageError) in
            try Server.configuration(file, environment: environment)
        }
    }

    /// The secrets that neither the command line, a variable nor a file gives.
    private func missing(
        _ configuration: ServerConfiguration, _ found: [String: String]
    ) throws(UsageError) -> [String] {
        let dashboard = configuration.dashboard
        let notifications = configuration.notifications
        let cookies = [
            try options.merging(found).cookie, configuration.cookieFile, found[Self.cookie],
            found["DEPLOYEX_COOKIE_FILE"], found["\(Self.cookie)_FILE"],
        ]
        return Self.names.filter { name in
            guard found[name]?.isEmpty ?? true else { return false }
            return switch name {
            case Self.cookie: cookies.allSatisfy { $0?.isEmpty ?? true }
            case "DEPLOYEX_API_TOKEN": dashboard.token == nil
            case "DEPLOYEX_ADMIN_PASSWORD_HASH": dashboard.administratorHash == nil
            case "DEPLOYEX_VIEWER_PASSWORD_HASH": dashboard.viewerHash == nil
            case "DEPLOYEX_WEBHOOK_SECRET_URL": notifications.webhook == nil
            case "DEPLOYEX_WEBHOOK_SECRET": notifications.webhookKey == nil
            case "DEPLOYEX_SLACK_SECRET_URL": notifications.slack == nil
            default: notifications.pagerDuty == nil
            }
        }
    }

    /// Adds what Secrets Manager has, if it is to be asked.
    private func completed(
        _ given: [String: String], _ configuration: ServerConfiguration
    ) async throws -> [String: String] {
        let options = configuration.secrets
        let missing = try missing(configuration, given)
        // Who gives the cookie and has not asked for Secrets Manager need not have one.
        guard let name = options.name,
            options.isConfigured ? !missing.isEmpty : missing.contains(Self.cookie)
        else { return given }
        let amazon = try AmazonAccess(
            environment, region: options.region, owners: configuration.trustedUsers, loop: loop)
        let manager = try SecretsManager(
            environment: environment, region: options.region, credentials: amazon.credentials,
            client: amazon.client, loop: loop)
        let secret: SecretValues
        do {
            secret = try await manager.secret(name)
            await amazon.end()
        } catch {
            await amazon.end()
            throw error
        }
        var found = given
        for name in missing { found[name] = try secret.value(of: name) ?? found[name] }
        guard !missing.contains(Self.cookie) || found[Self.cookie]?.isEmpty == false else {
            throw SecretsError("\(secret): it has no \(Self.cookie)")
        }
        return found
    }

    /// The variables with what systemd's folder has.
    private func ofSystemd(
        _ configuration: ServerConfiguration
    ) async throws(UsageError) -> [String: String] {
        guard let folder = environment["CREDENTIALS_DIRECTORY"], folder.hasPrefix("/") else {
            return environment
        }
        let (given, missing) = (environment, try missing(configuration, environment))
        return try await offload { () throws(UsageError) in
            var found = given
            for name in missing {
                found[name] = try Self.credential("\(folder)/\(name)") ?? given[name]
            }
            return found
        }
    }

    private static func credential(_ path: String) throws(UsageError) -> String? {
        do throws(TrustedFile.Failure) {
            let bytes = try TrustedFile.read(path, as: .file, limit: maximumByteCount)
            let text = String(decoding: bytes, as: UTF8.self)
                .trimmingPrefix { $0.isWhitespace }
            let end = text.lastIndex { !$0.isWhitespace }
            return end.map { String(text[...$0]) }
        } catch {
            if case .refused(let refusal) = error, refusal.isNotFound { return nil }
            throw UsageError("\(error)", "start")
        }
    }
}
