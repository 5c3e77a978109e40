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
        "DEPLOYEX_VIEWER_PASSWORD_HASH",
    ]
    private static let maximumByteCount = 4096

    enum Failure: Error {
        case usage(UsageError)
        case secret(SecretsError)
    }

    private let configurationFile: String?
    private let environment: [String: String]
    private let loop: EventLoop

    /// - Parameter environment: deployex's variables, as they were given.
    init(
        configurationFile: String?, environment: [String: String], loop: EventLoop
    ) {
        self.configurationFile = configurationFile
        self.environment = environment
        self.loop = loop
    }

    /// The variables with the secrets that were found, as the configuration is read from them.
    ///
    /// Without an answer of Secrets Manager, a deployex whose instances may run goes on with the
    /// cookie that the last one has left.
    func atStart(
        log: (LogLevel, String) -> Void
    ) async throws -> [String: String] {
        let configuration = try await configuration()
        do throws(Failure) {
            return try await read(configuration)
        } catch {
            switch error {
            case .usage(let error): throw error
            case .secret(let error):
                let basePath = configuration.basePath
                let left = await offload { NodeRecord.read(in: basePath) }
                guard case .found = left, error.isTemporary else {
                    throw CommandFailure(
                        "\(error); or set DEPLOYEX_SECRETS_ADAPTER=env, and give the secrets another way"
                    )
                }
                log(.warning, "\(error): going on with the cookie that the last deployex has left")
                return environment
            }
        }
    }

    /// The variables with the secrets as they are now, and the configuration from them.
    func again() async throws -> ([String: String], ServerConfiguration) {
        let found: [String: String]
        do throws(Failure) {
            found = try await read(try await configuration())
        } catch {
            switch error {
            case .usage(let error): throw CommandFailure(error.message)
            case .secret(let error): throw CommandFailure("\(error)")
            }
        }
        let file = configurationFile
        let configuration = try await offload { () throws(UsageError) in
            try Server.configuration(file, environment: found)
        }
        return (found, configuration)
    }

    private func configuration() async throws(Failure) -> ServerConfiguration {
        let (file, environment) = (configurationFile, environment)
        do throws(UsageError) {
            return try await offload { () throws(UsageError) in
                try Server.configuration(file, environment: environment)
            }
        } catch {
            throw .usage(error)
        }
    }

    private func read(
        _ configuration: ServerConfiguration
    ) async throws(Failure) -> [String: String] {
        let options = configuration.secrets
        var found = try await ofSystemd()
        func isGiven(_ name: String) -> Bool {
            [name, "\(name)_FILE"].contains { found[$0]?.isEmpty == false }
        }
        let hasCookie = isGiven(Self.cookie) || found["DEPLOYEX_COOKIE_FILE"]?.isEmpty == false
        // Who gives the cookie and has not asked for Secrets Manager need not have one.
        guard let name = options.name, options.isConfigured || !hasCookie else { return found }
        let secret: SecretValues
        do {
            secret = try await manager(options.region, configuration.trustedUsers).secret(name)
        } catch let error as SecretsError {
            throw .secret(error)
        } catch let error as UsageError {
            throw .usage(error)
        } catch {
            throw .usage(UsageError("\(error)", "start"))
        }
        for name in Self.names where !isGiven(name) {
            guard name != Self.cookie || !hasCookie else { continue }
            do throws(SecretsError) {
                found[name] = try secret.value(of: name) ?? found[name]
            } catch {
                throw .secret(error)
            }
        }
        guard hasCookie || isGiven(Self.cookie) else {
            throw .secret(SecretsError("\(secret): it has no \(Self.cookie)"))
        }
        return found
    }

    private func manager(_ region: String, _ owners: TrustedUsers) throws -> SecretsManager {
        let amazon = try AmazonAccess(environment, region: region, owners: owners, loop: loop)
        return try SecretsManager(
            environment: environment, region: region, credentials: amazon.credentials,
            client: amazon.client, loop: loop)
    }

    /// The variables with what systemd's folder has.
    private func ofSystemd() async throws(Failure) -> [String: String] {
        guard let folder = environment["CREDENTIALS_DIRECTORY"], folder.hasPrefix("/") else {
            return environment
        }
        let given = environment
        do throws(UsageError) {
            return try await offload { () throws(UsageError) in
                var found = given
                for name in Self.names where given[name]?.isEmpty ?? true {
                    found[name] = try Self.credential("\(folder)/\(name)") ?? given[name]
                }
                return found
            }
        } catch {
            throw .usage(error)
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
