internal import Glibc
internal import Transport

/// Reads the files that credentials stand in or lead to. Strangers must not have written them, nor
/// be able to read keys. Every call blocks.
struct CredentialFiles: Sendable {
    private let order: CredentialsOrder
    private let home: String?
    private let owners: TrustedUsers

    init(_ order: CredentialsOrder, owners: TrustedUsers) {
        self.order = order
        self.owners = owners
        home = order.value("HOME")
    }

    /// The paths of the shared files; `nil` where no home folder is known.
    private var configPath: String? {
        path(order.value("AWS_CONFIG_FILE") ?? "~/.aws/config")
    }
    private var credentialsPath: String? {
        path(order.value("AWS_SHARED_CREDENTIALS_FILE") ?? "~/.aws/credentials")
    }

    /// For errors.
    var places: String {
        let paths = [credentialsPath, configPath].compactMap(\.self)
        return paths.isEmpty
            ? "the shared files (HOME, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE are not set)"
            : paths.joined(separator: " or ")
    }

    private func path(_ text: String) -> String? {
        guard text.hasPrefix("~/") else { return text }
        return home.map { $0 + text.dropFirst() }
    }

    func profiles() throws(CredentialsError) -> SharedProfiles {
        try SharedProfiles(
            config: configPath.map { path throws(CredentialsError) in try config(path) }
                ?? SharedConfigFile(),
            credentials: credentialsPath.map { path throws(CredentialsError) in
                try shared(path, as: .secret)
            } ?? SharedConfigFile())
    }

    /// The file of settings may be readable, unless it has keys in it.
    private func config(_ path: String) throws(CredentialsError) -> SharedConfigFile {
        let file = try shared(path, as: .file)
        let hasKeys = file.sections.values.contains { $0["aws_secret_access_key"] != nil }
        return hasKeys ? try shared(path, as: .secret) : file
    }

    /// An empty file where there is none.
    private func shared(
        _ path: String, as role: PathTrustRule.Role
    ) throws(CredentialsError) -> SharedConfigFile {
        guard let bytes = try bytes(path, as: role, limit: SharedConfigFile.byteLimit) else {
            return SharedConfigFile()
        }
        do throws(SharedConfigFile.Problem) {
            return try SharedConfigFile(bytes)
        } catch {
            throw CredentialsError("\(path): \(error)")
        }
    }

    /// A token that others renew.
    /// - Parameter what: whose it is, for errors.
    func token(_ path: String, _ what: String) throws(CredentialsError) -> String {
        guard let bytes = try bytes(path, as: .file, limit: 32 << 10) else {
            throw CredentialsError("\(what): there is no file \(path)")
        }
        let token = String(decoding: bytes, as: UTF8.self).trimmingLines
        guard !token.isEmpty, token.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            throw CredentialsError("\(what): \(path) does not hold one line of plain text")
        }
        return token
    }

    /// The bytes of a file; `nil` where there is none.
    private func bytes(
        _ path: String, as role: PathTrustRule.Role, limit: Int
    ) throws(CredentialsError) -> [UInt8]? {
        guard path.hasPrefix("/") else {
            throw CredentialsError("\(path): a path must begin with /")
        }
        do throws(TrustedFile.Failure) {
            return try TrustedFile.read(path, as: role, owners: owners, limit: limit)
        } catch {
            if case .refused(let refusal) = error, refusal.isNotFound { return nil }
            throw CredentialsError("\(error)")
        }
    }

    /// The program that a word names: its path, or a name that is looked for in PATH.
    func program(_ word: String, _ what: String) throws(CredentialsError) -> String {
        guard !word.contains("/") else {
            guard word.hasPrefix("/") else {
                throw CredentialsError("\(what): \(word) must be a whole path or a mere name")
            }
            return try trusted(program: word, what)
        }
        let folders = (order.value("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        for folder in folders where folder.hasPrefix("/") {
            let path = "\(folder)/\(word)"
            guard access(path, X_OK) == 0 else { continue }
            return try trusted(program: path, what)
        }
        throw CredentialsError("\(what): there is no program \(word) in PATH")
    }

    private func trusted(program path: String, _ what: String) throws(CredentialsError) -> String {
        do throws(PathTrustError) {
            _ = try PathTrust.files(of: owners).file(path, as: .file)
        } catch {
            throw CredentialsError("\(what): \(error)")
        }
        return path
    }
}

extension String {
    /// Without the line ends around it.
    fileprivate var trimmingLines: String {
        var bytes = utf8[...]
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
