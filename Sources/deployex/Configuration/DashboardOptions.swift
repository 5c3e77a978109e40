internal import Transport

/// Where deployex answers over HTTP, and whom.
struct DashboardOptions: Equatable {
    /// Whether it answers at all.
    var isServed = true
    /// The address to listen on.
    var address = SocketAddress.loopback(port: defaultPort)
    /// The name under which users reach it.
    var host = "localhost"
    /// Whether terminals are allowed; `nil` for browsers of this host only, while deployex listens
    /// on loopback only.
    var allowsTerminals: Bool?
    /// The token of the API; `nil` when there is none.
    var token: Secret?

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
        allowsTerminals = try settings.value(.dashboardTerminal)?.boolean()
        if let value = settings.value(.dashboardToken) {
            token = .value(try value.text(), name: value.name)
        } else if let value = settings.value(.dashboardTokenFile) {
            token = .file(try value.path(), name: value.name)
        }
    }

    /// The token itself. It blocks.
    /// - Throws: ``UsageError`` when it cannot be read, or is too short.
    func readToken() throws(UsageError) -> String? {
        switch token {
        case nil: return nil
        case .value(let text, let name): return try Self.checked(text, name)
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
            return try Self.checked(String(words.first ?? ""), name)
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
