internal import Deployment
internal import Supervisor
internal import Transport

extension Verb {
    static let signing = [
        Verb(
            name: "sign",
            forms: ["sign PACKAGE --key KEYFILE [--app APPLICATION] [--version V]"],
            summary: "sign a package, as `deployex start` demands it with public keys",
            details: """
                Writes PACKAGE.minisig, which `deployex publish` sends along. KEYFILE is the secret key of
                `minisign -G`. If a password protects it, the terminal asks for the password, or its file
                is named in DEPLOYEX_SIGNING_PASSWORD_FILE. `minisign -V` verifies the signature, too.
                """,
            argumentCount: 1...1,
            ownOptions: [
                Option("--key", "KEYFILE", "the secret key; -s means the same"),
                Option("--app", "APPLICATION", "the application (default: as PACKAGE is named)"),
                Option("--version", "V", "the version (default: as PACKAGE is named)"),
                Option(
                    "--pre-command", "COMMAND",
                    "a pre-command of the release, to be signed with it; give it again for more"),
            ]
        ) { (arguments) throws(UsageError) in
            guard let key = arguments.values["--key"] else {
                throw arguments.failure("no key: name the file with the secret key by --key")
            }
            let (application, version) = (
                arguments.values["--app"], arguments.values["--version"]
            )
            if let application, !SignedRelease.isApplication(application) {
                throw arguments.failure(
                    "\(application) is no application: letters, digits and _ only")
            }
            if let version, !Release.isVersion(version) {
                throw arguments.failure("\(version) is no version: letters, digits and ._+~- only")
            }
            return Sign(
                package: arguments.positional[0], key: key,
                application: application, version: version,
                preCommands: arguments.lists["--pre-command"] ?? [])
        }
    ]
}

/// `deployex sign`
struct Sign: Command {
    var package: String
    var key: String
    var application: String?
    var version: String?
    var preCommands: [String] = []

    func prepare() { SigningKey.protect() }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let named = PackageName(path: package)
        guard let application = application ?? named?.application,
            let version = version ?? named?.version
        else {
            throw UsageError(
                "\(package) is not named APP-VERSION.tar.gz: say --app and --version", "sign")
        }
        let key = try await SigningKey.read(key, setting.environment)
        let progress = Progress(on: setting.loop)
        defer { progress.clear() }
        let found = try await PackageInspection.read(package, progress)
        // Another program than bin/APP may start it: publishing knows.
        try found.check(
            package, application: application, version: version, hasStartCommand: true)
        let release = try found.release(version, preCommands, attempt: "this cannot be signed")
        let signature = try found.signature(as: release, of: application, by: key)
        let path = LocalPackage.signaturePath(of: package)
        try await offload { () throws(CommandFailure) in
            do throws(FileSystemError) {
                try HostFileSystem().replaceFile(
                    path, with: Array(signature.text.utf8), mode: 0o644)
            } catch {
                throw CommandFailure("\(error)")
            }
        }
        progress.clear()
        Output.line("signed \(application) \(version) with the key \(key): \(path)")
        return .done
    }
}

/// The secret key that a command signs with.
enum SigningKey {
    private static let passwordVariable = "DEPLOYEX_SIGNING_PASSWORD_FILE"

    /// Keeps other users from this process's memory. Called before it has another thread.
    static func protect() { _ = StartConditions.close() }

    /// The key in a file of minisign's, which nobody else can read.
    static func read(
        _ path: String, _ environment: [String: String]
    ) async throws(CommandFailure) -> MinisignSecretKey {
        try await offload { () throws(CommandFailure) in
            let bytes = try secret(path, limit: MinisignSecretKeyFile.maximumByteCount)
            let convert = { (error: SecretKeyError) in
                CommandFailure("\(path): \(error)", exitCode: ExitCode.usage)
            }
            let file = try converting(convert, MinisignSecretKeyFile(parsing: bytes))
            let password = file.isEncrypted ? try password(of: path, environment) : []
            return try converting(convert, file.key(password: password))
        }
    }

    private static func password(
        of path: String, _ environment: [String: String]
    ) throws(CommandFailure) -> [UInt8] {
        if let file = environment[passwordVariable], !file.isEmpty {
            let bytes = try secret(file, limit: 4096)
            return Array(try PasswordPrompt.text(bytes.prefix { $0 != 0x0A }).utf8)
        }
        guard PasswordPrompt.isPossible else {
            throw CommandFailure(
                "\(path) has a password, and there is no terminal to ask: name a file with it in "
                    + passwordVariable, exitCode: ExitCode.usage)
        }
        return Array(try PasswordPrompt.ask(["Password of \(path)"])[0].utf8)
    }

    private static func secret(_ path: String, limit: Int) throws(CommandFailure) -> [UInt8] {
        do throws(TrustedFile.Failure) {
            return try TrustedFile.read(path, as: .secret, limit: limit)
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.usage)
        }
    }
}

extension PackageInspection {
    /// Reads the package of a command, off the loop.
    static func read(
        _ path: String, _ progress: Progress
    ) async throws(CommandFailure) -> PackageInspection {
        if Progress.isOnTerminal { progress.show("reading \(path)") }
        return try await offload { () throws(CommandFailure) in
            do throws(UnpackError) {
                return try PackageInspection.read(path)
            } catch {
                throw CommandFailure("\(error)")
            }
        }
    }

    /// Throws unless it is that release.
    func check(
        _ path: String, application: String, version: String, hasStartCommand: Bool
    ) throws(CommandFailure) {
        let problem = problem(
            application: application, version: version, hasStartCommand: hasStartCommand)
        guard let problem else { return }
        throw CommandFailure("\(path) is not \(application) \(version): \(problem)")
    }

    /// The release with this package.
    /// - Parameter attempt: what fails if there is no such release.
    func release(
        _ version: String, hash: String? = nil, _ preCommands: [String], attempt: String
    ) throws(CommandFailure) -> Release {
        do throws(ReleaseError) {
            return try Release(
                version: version, hash: hash ?? String(sha256.prefix(12)),
                preCommands: preCommands, sha256: sha256)
        } catch {
            throw CommandFailure("\(attempt): \(error)", exitCode: ExitCode.usage)
        }
    }

    /// Its signature as that release.
    func signature(
        as release: Release, of application: String, by key: MinisignSecretKey
    ) throws(CommandFailure) -> MinisignSignature {
        let signed = SignedRelease(
            application: application, version: release.version, sha256: sha256,
            preCommands: release.preCommands)
        let signature = key.sign(blake2b512, as: signed)
        // A name that no comment can carry would make a signature that nobody accepts.
        do throws(SignatureProblem) {
            try signature.verify(blake2b512, as: signed, by: [key.publicKey])
        } catch {
            throw CommandFailure(
                "\(application) \(release.version) cannot be signed: \(error)",
                exitCode: ExitCode.usage)
        }
        return signature
    }
}
