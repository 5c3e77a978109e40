internal import ExternalTermFormat
internal import Supervisor

/// The information in a staged package about upgrading to it.
struct StagedUpgrade: Equatable, Sendable {
    var contents: ReleaseContents
    var appups: AppupSet
    /// The applications that have an appup of their name, without which `systools` cannot upgrade
    /// them.
    var upgradableApplications: Set<String>
    /// Whether the package's own `releases/VERSION/relup`, if it has one, restarts the emulator on
    /// the way from the running version.
    var relupRestartsEmulator: Bool
}

/// The appups of a package and, from Jellyfish 0.2 on, its description of them.
struct AppupSet: Equatable, Sendable {
    /// The appups of the application that the release is named for, `lib/NAME-*/ebin/*.appup`.
    var main: [Appup]
    /// `lib/*/ebin/jellyfish.json`, each with the appups beside it.
    var described: [Jellyfish]

    struct Jellyfish: Equatable, Sendable {
        var metadata: JellyfishMetadata
        var appups: [Appup]
    }

    /// Why there is no way from one version to the other.
    func obstacle(
        from: String, to: String, in current: ReleaseContents, _ staged: StagedUpgrade
    ) -> UpgradeDecision.Reason? {
        let relevant = described.filter { jellyfish in
            // A dependency upgraded in an earlier release keeps its description from then.
            jellyfish.metadata.kind == .project
                || current.version(of: jellyfish.metadata.name)
                    != staged.contents.version(of: jellyfish.metadata.name)
        }
        guard relevant.contains(where: { $0.metadata.kind == .project }) else {
            return Self.obstacle(in: main, from: from, to: to)
        }
        for jellyfish in relevant {
            let metadata = jellyfish.metadata
            var (old, new): (String?, String?) = (from, to)
            if metadata.kind == .dependency {
                old = current.version(of: metadata.name)
                new = staged.contents.version(of: metadata.name)
            }
            guard metadata.from == old, metadata.to == new else { return .noMatchingVersions }
            if let reason = Self.obstacle(
                in: jellyfish.appups, from: metadata.from, to: metadata.to)
            {
                return reason
            }
        }
        return nil
    }

    private static func obstacle(
        in appups: [Appup], from: String, to: String
    ) -> UpgradeDecision.Reason? {
        guard appups.count == 1 else { return .notOneAppup(paths: appups.map(\.path)) }
        switch appups[0].content {
        case .failure(let error):
            return .unreadable(path: appups[0].path, reason: error.description)
        case .success(let versions):
            guard versions.contains(.init(from: from, to: to)) else {
                return .noMatchingVersions
            }
            return nil
        }
    }
}

/// One appup of a package, and the upgrades that it describes.
struct Appup: Equatable, Sendable {
    /// Two versions between which the appup leads up and down.
    struct Step: Equatable, Sendable {
        var from: String
        var to: String
    }

    /// No person or tool writes a list of instructions longer than a megabyte.
    static let maximumByteCount = 1 << 20

    /// The path within the package.
    var path: String
    var content: Result<[Step], FileSystemError>

    /// The steps of an appup, of the one shape that Deployex accepts:
    /// `{To, [{From, _}], [{From, _}]}.`
    ///
    /// Source: appup(4), SASL.
    static func steps(_ bytes: [UInt8]) throws(FileSystemError) -> [Step] {
        var steps: [Step] = []
        for term in try ErlangFile.terms(bytes) {
            guard let parts = term.asTuple, parts.count == 3, let to = parts[0].asText,
                let up = onlyVersion(parts[1]), let down = onlyVersion(parts[2]), up == down
            else { continue }
            steps.append(Step(from: up, to: to))
        }
        return steps
    }

    private static func onlyVersion(_ term: Term) -> String? {
        guard let list = term.asList, list.count == 1, let entry = list[0].asTuple,
            entry.count == 2, case .list = entry[0]
        else { return nil }
        return entry[0].asText
    }
}

extension StagedUpgrade {
    /// How many folders in `lib/` and files in one `ebin/` it examines.
    static let maximumEntryCount = 10_000

    /// Reads the package in `folder` on the way from `running` to `version`. It blocks.
    static func read(
        _ folder: String, name: String, from running: String, to version: String,
        files: any FileSystem
    ) throws(FileSystemError) -> StagedUpgrade {
        let contents = try ReleaseContents.read(
            folder, name: name, version: version, files: files)
        var set = AppupSet(main: [], described: [])
        for library in try list("\(folder)/lib", files) {
            let ebin = "lib/\(library)/ebin"
            let isMain = library.hasPrefix("\(name)-")
            guard fileKind(of: "\(folder)/\(ebin)", files) == .folder else { continue }
            let entries = try list("\(folder)/\(ebin)", files)
            let isDescribed = entries.contains("jellyfish.json")
            guard isMain || isDescribed else { continue }
            let appups = entries.filter { $0.hasSuffix(".appup") }.map { entry in
                let path = "\(ebin)/\(entry)"
                return Appup(
                    path: path,
                    content: Result { () throws(FileSystemError) in
                        try Appup.steps(
                            read("\(folder)/\(path)", limit: Appup.maximumByteCount, files))
                    })
            }
            if isMain { set.main += appups }
            guard isDescribed else { continue }
            let path = "\(ebin)/jellyfish.json"
            do throws(FileSystemError) {
                let bytes = try read(
                    "\(folder)/\(path)", limit: JellyfishMetadata.maximumByteCount, files)
                set.described.append(
                    .init(metadata: try JellyfishMetadata(json: bytes), appups: appups))
            } catch {
                throw .unusable("\(path): \(error)")
            }
        }
        let relup = "\(folder)/releases/\(version)/relup"
        var restarts = false
        if let bytes = try ErlangFile.read(relup, limit: Relup.maximumByteCount, files: files) {
            restarts = try Relup(bytes).restartsEmulator(from: running)
        }
        let upgradable = contents.applications.filter { application in
            guard let library = application.folderName else { return false }
            let appup = "\(folder)/lib/\(library)/ebin/\(application.name).appup"
            return fileKind(of: appup, files) == .file
        }
        return StagedUpgrade(
            contents: contents, appups: set,
            upgradableApplications: Set(upgradable.map(\.name)), relupRestartsEmulator: restarts)
    }

    private static func list(
        _ path: String, _ files: any FileSystem
    ) throws(FileSystemError) -> [String] {
        let names = try files.list(path)
        guard names.count <= maximumEntryCount else {
            throw .unusable("\(path) has \(names.count) entries")
        }
        return names
    }

    private static func read(
        _ path: String, limit: Int, _ files: any FileSystem
    ) throws(FileSystemError) -> [UInt8] {
        guard let bytes = try ErlangFile.read(path, limit: limit, files: files) else {
            throw .unusable("it does not exist")
        }
        return bytes
    }
}
