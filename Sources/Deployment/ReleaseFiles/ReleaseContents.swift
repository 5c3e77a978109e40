internal import ExternalTermFormat
internal import Supervisor

/// The contents of a release according to its folder: its emulator and its applications.
struct ReleaseContents: Equatable, Sendable {
    struct Application: Equatable, Sendable {
        var name: String
        var version: String
        /// How the release starts it; `nil` where the `.rel` file does not say.
        var type: String?
        /// The applications that it includes, according to the `.rel` file.
        var included: [String] = []

        /// Whether the node ends when the application ends.
        var isPermanent: Bool { type ?? "permanent" == "permanent" }

        /// Its folder's name in `lib/`; `nil` for a name that must not be part of a path.
        var folderName: String? {
            let folder = "\(name)-\(version)"
            return isPathComponent(folder) ? folder : nil
        }
    }

    /// From the `.rel` file.
    var name: String
    var version: String
    var ertsVersion: String
    var applications: [Application]
    /// Whether the release brings its own emulator, in `erts-…/`.
    var includesERTS: Bool

    func version(of application: String) -> String? {
        applications.first { $0.name == application }?.version
    }

    /// The names of the applications that have another version in `old`, and of those that include
    /// such a one.
    func applications(changedSince old: ReleaseContents) -> [String] {
        let changed = Set(
            applications.filter { application in
                old.version(of: application.name).map { $0 != application.version } ?? false
            }.map(\.name))
        return applications.filter {
            changed.contains($0.name) || !changed.isDisjoint(with: $0.included)
        }.map(\.name)
    }
}

extension ReleaseContents {
    /// The most bytes that a `.rel` file may have: far more than a release of 1000 applications
    /// needs.
    static let maximumByteCount = 1 << 20

    /// Reads a `.rel` file:
    /// `{release, {Name, Vsn}, {erts, EVsn}, [{App, AppVsn, Type, Included} …]}.`
    /// An application's type, its included applications, or both may be missing.
    ///
    /// Source: rel(4), SASL.
    init(relFile bytes: [UInt8], includesERTS: Bool) throws(FileSystemError) {
        let terms = try ErlangFile.terms(bytes)
        guard terms.count == 1, let release = terms[0].asTuple, release.count == 4,
            release[0] == .atom("release"), let identity = release[1].asTuple,
            identity.count == 2, let name = identity[0].asText, let version = identity[1].asText,
            let erts = release[2].asTuple, erts.count == 2, erts[0] == .atom("erts"),
            let ertsVersion = erts[1].asText, let parts = release[3].asList
        else { throw .unusable("it is no {release, …} term") }
        var applications: [Application] = []
        for part in parts {
            guard let fields = part.asTuple, fields.count >= 2, let name = fields[0].asAtom,
                let version = fields[1].asText
            else { throw .unusable("\(shortened(part)) is no application") }
            applications.append(
                Application(
                    name: name.name, version: version,
                    type: fields.dropFirst(2).compactMap { $0.asAtom?.name }.first,
                    included: fields.dropFirst(2).flatMap {
                        ($0.asList ?? []).compactMap { $0.asAtom?.name }
                    }))
        }
        self.init(
            name: name, version: version, ertsVersion: ertsVersion, applications: applications,
            includesERTS: includesERTS)
    }

    /// Reads the contents of the release `version` in `folder`.
    static func read(
        _ folder: String, name: String, version: String, files: any FileSystem
    ) throws(FileSystemError) -> ReleaseContents {
        let path = try path(folder, name: name, version: version, files: files)
        do throws(FileSystemError) {
            guard let bytes = try ErlangFile.read(path, limit: maximumByteCount, files: files)
            else { throw .unusable("it does not exist") }
            var contents = try ReleaseContents(relFile: bytes, includesERTS: false)
            let erts = "\(folder)/erts-\(contents.ertsVersion)"
            if isPathComponent(contents.ertsVersion) {
                contents.includesERTS = fileKind(of: erts, files) == .folder
            }
            return contents
        } catch {
            throw .unusable("\(path): \(error)")
        }
    }

    /// The path of the `.rel` file of the release `version` in `folder`.
    ///
    /// That is `releases/VERSION/NAME.rel`; or `releases/NAME-VERSION.rel` after a hot upgrade by
    /// `unpack_release`, which deletes the former.
    static func path(
        _ folder: String, name: String, version: String, files: any FileSystem
    ) throws(FileSystemError) -> String {
        guard isPathComponent(name), isPathComponent(version) else {
            throw .unusable("\(name) \(version) does not belong into a path")
        }
        let first = "\(folder)/releases/\(version)/\(name).rel"
        let second = "\(folder)/releases/\(name)-\(version).rel"
        if try files.status(first) != nil { return first }
        guard try files.status(second) != nil else { throw .unusable("\(first) does not exist") }
        return second
    }
}

/// The kind of file at `path`; `nil` if there is none or the kind cannot be found out.
func fileKind(of path: String, _ files: any FileSystem) -> FileStatus.Kind? {
    do throws(FileSystemError) { return try files.status(path)?.kind } catch { return nil }
}
