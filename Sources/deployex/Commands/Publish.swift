internal import AWS
internal import Deployment
internal import Glibc
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
                and the environment come from the same variables or file as for `deployex start`.
                It copies the package first, and then replaces current.json, with the package's sha256.
                """,
            argumentCount: 1...1,
            ownOptions: [
                Option("--app", "APPLICATION", "the application (default: as PACKAGE is named)"),
                Option("--version", "V", "the version (default: as PACKAGE is named)"),
                Option("--hash", "H", "names the build (default: the sha256's beginning)"),
                Option(
                    "--pre-command", "COMMAND",
                    "run with bin/APP before the release starts; give it again for more"),
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
                isForced: arguments.has("--force"),
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
    var isForced = false
    var configurationFile: String?
    var printsJSON = false

    func run(_ setting: CommandSetting) async throws -> Ending {
        let named = PackageName(path: package)
        let configuration = try await configuration(setting.environment, named)
        guard let version = version ?? named?.version else {
            throw UsageError(
                "\(package) is not named APP-VERSION.tar.gz: say --version", "publish")
        }
        let progress = Progress(on: setting.loop)
        defer { progress.clear() }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let path = package
        if isTerminal { progress.show("reading \(path)") }
        let found = try await offload { () throws(CommandFailure) in
            do throws(UnpackError) {
                return try PackageInspection.read(path)
            } catch {
                throw CommandFailure("\(error)")
            }
        }
        if let problem = found.problem(
            application: configuration.name, version: version,
            hasStartCommand: configuration.startCommand != nil)
        {
            throw CommandFailure(
                "\(package) is not \(configuration.name) \(version): \(problem)")
        }
        let release: Release
        do throws(ReleaseError) {
            release = try Release(
                version: version, hash: hash ?? String(found.sha256.prefix(12)),
                preCommands: preCommands, sha256: found.sha256)
        } catch {
            throw CommandFailure("this cannot be published: \(error)", exitCode: ExitCode.usage)
        }
        let publisher = try publisher(configuration, setting)
        do throws(PublishError) {
            try await publish(release, found, to: publisher, setting.loop) { text in
                if isTerminal { progress.show(text) }
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
        _ release: Release, _ found: PackageInspection, to publisher: any ReleasePublisher,
        _ loop: EventLoop, show: @escaping (String) -> Void
    ) async throws(PublishError) {
        let before = try await publisher.readCurrent()
        let published = try await publisher.publishedSHA256(of: release)
        if let published, published != release.sha256, !isForced {
            throw .failed(
                "\(release.version) is published already with other bytes (sha256 \(published)): "
                    + "give the build another version, or --force to replace it")
        }
        if published == nil || published != release.sha256 {
            show("sending \(found.byteCount >> 20) MiB to \(publisher.catalog)")
            try await publisher.upload(
                UploadedPackage(
                    path: package, byteCount: found.byteCount, sha256: found.sha256), of: release,
                signature: nil
            ) { _ in }
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

    /// The configuration of the application that is meant.
    private func configuration(
        _ environment: [String: String], _ named: PackageName?
    ) async throws(UsageError) -> ApplicationConfiguration {
        let path =
            configurationFile ?? environment["DEPLOYEX_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let wanted = application ?? named?.application
        var environment = environment
        let variable = "DEPLOYEX_MONITORED_APP_NAME"
        if path == nil, environment[variable] ?? "" == "" || application != nil {
            environment[variable] = wanted
        }
        let (variables, name) = (environment, application)
        let applications = try await offload { () throws(UsageError) in
            let file = try path.map { (path) throws(UsageError) in
                try ConfigurationFile.read(path)
            }
            return try ServerConfiguration(file: file, environment: variables).applications
        }
        if applications.count == 1, name == nil { return applications[0] }
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
