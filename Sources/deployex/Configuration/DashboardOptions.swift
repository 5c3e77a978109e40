internal import Dashboard
internal import Transport

/// Where deployex answers over HTTP, and whom.
struct DashboardOptions: Equatable {
    /// Whether it answers at all.
    var isServed = true
    /// The address to listen on.
    var address = SocketAddress.loopback(port: defaultPort)
    /// The name under which users reach it.
    var host = "localhost"
    /// The token of the API; `nil` when there is none.
    var token: Secret?
    /// The passwords' hashes, as `deployex hash-password` prints them.
    var administratorHash: Secret?
    var viewerHash: Secret?
    /// Whether terminals may be opened; `nil` if the address decides.
    var terminal: Bool?
    /// The certificate for HTTPS, in PEM; `nil` for HTTP.
    var certificateFile: String?
    /// The certificate's key; `nil` where it is in the same file.
    var keyFile: String?
    /// Where the certificate is configured, for errors.
    var certificateName = ""
    /// Whether the log may show a link that logs in: only where nobody collects logs.
    var isLocal = true

    /// The dashboard's address for users, without a slash at the end.
    var url: String {
        let scheme = certificateFile == nil ? "http" : "https"
        let usual = certificateFile == nil ? 80 : 443
        return "\(scheme)://\(host)" + (address.port == usual ? "" : ":\(address.port)")
    }

    /// A secret, and where it is.
    enum Secret: Equatable {
        case value(String, name: String)
        case file(String, name: String)
    }

    static let defaultPort: UInt16 = 5001
    /// A shorter token could be guessed.
    private static let minimumByteCount = 16

    /// - Throws: ``UsageError`` that names the setting, its value and what it takes.
    init(_ settings: Settings) throws(UsageError) {
        isServed = try settings.value(.dashboardServed)?.boolean() ?? true
        if let value = settings.value(.dashboardAddress) {
            guard let address = SocketAddress(try value.text(), port: 0) else {
                throw value.failure("an address of this host, such as 127.0.0.1, 0.0.0.0 or ::1")
            }
            self.address = address
        }
        let ports = 1...Int(UInt16.max)
        address.port = UInt16(
            try settings.value(.dashboardPort)?.integer(in: ports) ?? Int(Self.defaultPort))
        if let value = settings.value(.dashboardHost) {
            host = try value.text()
            guard (1...253).contains(host.utf8.count),
                host.isMadeOfLettersDigits(and: "-.") || host.hasPrefix("[")
            else { throw value.failure("the name of a host, without a port") }
        }
        token = try Self.secret(.dashboardToken, .dashboardTokenFile, settings)
        administratorHash = try Self.secret(.administratorHash, .administratorHashFile, settings)
        viewerHash = try Self.secret(.viewerHash, .viewerHashFile, settings)
        terminal = try settings.value(.dashboardTerminal)?.boolean()
        if let value = settings.value(.dashboardCertificate) {
            certificateFile = try value.path()
            certificateName = value.name
        }
        if let value = settings.value(.dashboardKey) {
            guard certificateFile != nil else {
                throw value.failure(
                    "the key of the certificate that \(Setting.dashboardCertificate.variable ?? "") "
                        + "names, which is not set")
            }
            keyFile = try value.path()
        }
    }

    static func secret(
        _ value: Setting, _ file: Setting, _ settings: Settings
    ) throws(UsageError) -> Secret? {
        if let value = settings.value(value) {
            return .value(try value.text(), name: value.name)
        }
        guard let file = settings.value(file) else { return nil }
        return .file(try file.path(), name: file.name)
    }

    /// Who may do what, with the secrets themselves. It blocks.
    /// - Throws: ``UsageError`` when one cannot be read or used.
    func readAccess() throws(UsageError) -> DashboardAccess.Settings {
        var access = DashboardAccess.Settings()
        if let (text, name) = try token?.read() {
            access.secrets.apiToken = try Self.checked(text, name)
        }
        access.secrets.administrator = try Self.hash(administratorHash)
        access.secrets.viewer = try Self.hash(viewerHash)
        access.terminals = terminalPermission
        access.port = address.port
        return access
    }

    var terminalPermission: TerminalPermission {
        switch terminal {
        case true?: .everywhere
        case false?: .nowhere
        case nil: address.isLoopback ? .onThisHost : .nowhere
        }
    }

    private static func hash(_ secret: Secret?) throws(UsageError) -> PasswordHash? {
        guard let (text, name) = try secret?.read() else { return nil }
        guard let hash = PasswordHash(text) else {
            throw UsageError("\(name): what `deployex hash-password` prints", "start")
        }
        return hash
    }

    /// The context of HTTPS; `nil` for HTTP. It blocks.
    /// - Parameter report: hears that the certificate was loaded anew, or could not be.
    func loadTLS(
        report: @escaping @Sendable (TLSContext.Report) -> Void
    ) throws(UsageError) -> TLSContext? {
        guard let certificateFile else { return nil }
        var configuration = TLSConfiguration()
        configuration.certificateFile = certificateFile
        configuration.keyFile = keyFile
        configuration.verifiesPeer = false
        do throws(TLSConfigurationError) {
            return try TLSContext(configuration, role: .server, report: report)
        } catch {
            throw UsageError("\(certificateName): \(error)", "start")
        }
    }

    private static func checked(_ token: String, _ name: String) throws(UsageError) -> String {
        guard token.utf8.count >= minimumByteCount,
            token.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else {
            throw UsageError(
                "\(name): at least \(minimumByteCount) visible ASCII characters, such as from "
                    + "`openssl rand -hex 32`", "start")
        }
        return token
    }
}

extension DashboardOptions.Secret {
    /// Where it is configured.
    var name: String {
        switch self {
        case .value(_, let name), .file(_, let name): name
        }
    }

    /// Its text, and where it stands.
    func read() throws(UsageError) -> (text: String, name: String) {
        switch self {
        case .value(let text, let name): return (text, name)
        case .file(let path, let name):
            let bytes: [UInt8]
            do throws(TrustedFile.Failure) {
                bytes = try TrustedFile.read(
                    path, as: .secret, owners: TrustedUsers(), limit: 4096)
            } catch {
                throw UsageError("\(name): \(error)", "start")
            }
            let words = String(decoding: bytes, as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            return (String(words.first ?? ""), name)
        }
    }
}
