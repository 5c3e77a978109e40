internal import AWS
internal import Deployment
internal import Supervisor
internal import Transport

extension Verb {
    static let publishing = [
        Verb(
            name: "publish",
            forms: ["publish PACKAGE [--version V] [--hash H] [--app APPLICATION]"],
            summary: "publish a package, for deployex to deploy",
            details: """
                PACKAGE is the tar.gz of a release. Its name, APP-VERSION.tar.gz, says the application and
                the version if no option does; both are compared with its contents. The storage folder
                or bucket and the environment come from the same variables or file as for `deployex start`.
                It copies the package first, and then replaces current.json, with the package's sha256. A
                signature beside the package, PACKAGE.minisig, goes along: see `deployex sign`.
                """,
            argumentCount: 1...1,
            ownOptions: [
                Option("--app", "APPLICATION", "the application (default: as PACKAGE is named)"),
                Option("--version", "V", "the version (default: as PACKAGE is named)"),
                Option("--hash", "H", "names the build (default: the sha256's beginning)"),
                Option(
                    "--pre-command", "COMMAND",
                    "run with bin/APP before the release starts; give it again for more"),
                Option("--sign", "KEYFILE", "sign it with this secret key of minisign's"),
                Option("--force", "replace a published version that has other bytes"),
                Option("--config", "FILE", "the configuration file (default: DEPLOYEX_CONFIG)"),
                .json,
            ]
        ) { (arguments) throws(UsageError) in
            let version = arguments.values["--version"]
            if let version, !Release.isVersion(version) {
                throw arguments.failure("\(version) is no version: letters, digits and ._+~- only")
            }
            return Publish(
                package: arguments.positional[0], application: arguments.values["--app"],
                version: version, hash: arguments.values["--hash"],
                preCommands: arguments.lists["--pre-command"] ?? [],
                key: arguments.values["--sign"], isForced: arguments.has("--force"),
                configurationFile: arguments.values["--config"],
                printsJSON: arguments.has("--json"))
        }
    ]
}

/// `deployex publish`
struct Publish: Command {
    var package: String
    var application: String?
    var version: String?
    var hash: String?
    var preCommands: [String] = []
    /// The file of the secret key with which it is signed.
    var key: String?
    var isForced = false
    var configurationFile: String?
    var printsJSON = false

    func prepare() {
        if key != nil { SigningKey.protect() }
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let named = PackageName(path: package)
        let server = try await configuration(setting.environment, named)
        let configuration = try application(in: server, named)
        guard let version = version ?? named?.version else {
            throw UsageError(
                "\(package) is not named APP-VERSION.tar.gz: say --version", "publish")
        }
        var secretKey: MinisignSecretKey?
        if let key { secretKey = try await SigningKey.read(key, setting.environment) }
        let progress = Progress(on: setting.loop)
        defer { progress.clear() }
        let found = try await PackageInspection.read(package, progress)
        try found.check(
            package, application: configuration.name, version: version,
            hasStartCommand: configuration.startCommand != nil)
        let release = try found.release(
            version, hash: hash, preCommands, attempt: "this cannot be published")
        let signature = try await signature(
            of: found, as: release, of: configuration.name, by: secretKey,
            publicKeys: server.publicKeys)
        let publisher = try publisher(configuration, setting)
        do throws(PublishError) {
            try await publish(
                release, found, signature.map { Array($0.text.utf8) }, to: publisher
            ) { (text: @escaping () -> String) in
                if Progress.isOnTerminal { progress.show(text) }
            }
        } catch {
            throw CommandFailure("\(error)")
        }
        progress.clear()
        show(release, configuration.name, at: publisher.catalog)
        return .done
    }

    private func publisher(
        _ configuration: ApplicationConfiguration, _ setting: CommandSetting
    ) throws(UsageError) -> any ReleasePublisher {
        let (name, environment) = (configuration.name, configuration.storage.environment)
        switch configuration.storage.place {
        case .folder(let path):
            return FolderPublisher(
                store: FolderStore(root: path, application: name, environment: environment),
                files: HostFileSystem())
        case .bucket(let bucket):
            let amazon = try AmazonAccess(
                setting.environment, region: bucket.region, loop: setting.loop)
            return S3Publisher(
                bucket, application: name, environment: environment,
                client: amazon.client(of: bucket))
        }
    }

    private func publish(
        _ release: Release, _ found: PackageInspection, _ signature: [UInt8]?,
        to publisher: any ReleasePublisher, show: (@escaping () -> String) -> Void
    ) async throws(PublishError) {
        let before = try await publisher.readCurrent()
        let published = try await publisher.publishedSHA256(of: release)
        if let published, published != release.sha256, !isForced {
            throw .failed(
                "\(release.version) is published already with other bytes (sha256 \(published)): "
                    + "give the build another version, or --force to replace it")
        }
        var isThere = published == release.sha256
        if isThere, let signature {
            isThere = try await publisher.publishedSignature(of: release) == signature
        }
        if !isThere {
            let catalog = publisher.catalog
            let sent = Guarded<Int64>(0)
            let total = found.byteCount >> 20
            show { "sending \(sent.withLock { $0 } >> 20) of \(total) MiB to \(catalog)" }
            try await publisher.upload(
                UploadedPackage(
                    path: package, byteCount: found.byteCount, sha256: found.sha256), of: release,
                signature: signature
            ) { count in sent.withLock { $0 = count } }
        }
        try await publisher.swapCurrent(to: release.published, expecting: before?.token)
    }

    private func show(_ release: Release, _ application: String, at catalog: String) {
        if printsJSON {
            Output.line(String(decoding: release.published.dropLast(), as: UTF8.self))
        } else {
            Output.line(
                "published \(application) \(release.version) (hash \(release.hash)) at \(catalog)")
        }
    }

    /// The signature to publish: a new one, or the one beside the package; `nil` if there is none
    /// and none is needed. It is what the configured public keys demand, or at least of this release.
    private func signature(
        of found: PackageInspection, as release: Release, of application: String,
        by key: MinisignSecretKey?, publicKeys: PublicKeysFile?
    ) async throws(CommandFailure) -> MinisignSignature? {
        let made = try key.map { (key) throws(CommandFailure) in
            try found.signature(as: release, of: application, by: key)
        }
        let signed = SignedRelease(
            application: application, version: release.version, sha256: found.sha256,
            preCommands: release.preCommands)
        let package = package
        return try await offload { () throws(CommandFailure) in
            do throws(SignatureProblem) {
                var signature = made
                if signature == nil { signature = try .beside(package) }
                if let publicKeys {
                    let keys = try converting(SignatureProblem.keys, publicKeys.read())
                    guard let signature else {
                        throw .unsigned(path: LocalPackage.signaturePath(of: package))
                    }
                    try signature.verify(found.blake2b512, as: signed, by: keys)
                }
                try signature?.checkRelease(signed)
                return signature
            } catch {
                throw CommandFailure("\(package) is not published: \(error)")
            }
        }
    }

    /// What the configuration file or the variables say.
    private func configuration(
        _ environment: [String: String], _ named: PackageName?
    ) async throws(UsageError) -> ServerConfiguration {
        let path =
            configurationFile ?? environment["DEPLOYEX_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        var environment = environment
        let variable = "DEPLOYEX_MONITORED_APP_NAME"
        if path == nil, environment[variable] ?? "" == "" || application != nil {
            environment[variable] = application ?? named?.application
        }
        let variables = environment
        return try await offload { () throws(UsageError) in
            let file = try path.map { (path) throws(UsageError) in
                try ConfigurationFile.read(path)
            }
            return try ServerConfiguration(file: file, environment: variables)
        }
    }

    /// The configuration of the application that is meant.
    private func application(
        in server: ServerConfiguration, _ named: PackageName?
    ) throws(UsageError) -> ApplicationConfiguration {
        let applications = server.applications
        if applications.count == 1, application == nil { return applications[0] }
        let wanted = application ?? named?.application
        if let one = applications.first(where: { $0.name == wanted }) { return one }
        let names = applications.map(\.name).joined(separator: ", ")
        throw UsageError(
            "\(wanted ?? "the package") is none of the applications \(names): say --app", "publish")
    }
}

/// `APP-VERSION.tar.gz`, as a path names a package.
struct PackageName: Equatable {
    var application: String
    var version: String

    init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard name.hasSuffix(".tar.gz"), let dash = name.firstIndex(of: "-") else { return nil }
        application = String(name[..<dash])
        version = String(name[name.index(after: dash)...].dropLast(".tar.gz".count))
        guard !application.isEmpty, application.isMadeOfLettersDigits(and: "_"),
            Release.isVersion(version)
        else { return nil }
    }
}
