internal import ExternalTermFormat
package import Supervisor

/// The `release_handler`'s list of the releases in a folder: `releases/RELEASES`.
///
/// `mix release` does not write this file. A node that boots without it invents a release without
/// libraries, and `remove_release` then deletes the libraries in use. A running node never reads
/// the file again, so it must be there before the first boot. Its paths are relative, so they stay
/// right when the folder is renamed.
///
/// Source: `transform_release` and `write_releases`, `release_handler`, SASL.
package enum ReleasesFile {
    /// Writes the file for the release in `folder` that boots next, unless the file already names
    /// that release as permanent.
    ///
    /// `make_permanent` truncates and writes `start_erl.data`, and then this file. If it is cut off
    /// in between, the new release boots, and this function writes that one alone. If it is cut off
    /// in `start_erl.data`, that file is empty and nothing could boot. Then this function writes it
    /// anew for the release that is still permanent here.
    ///
    /// Call it before every start, above all before the first one. It blocks.
    package static func write(
        for folder: String, name: String, files: any FileSystem
    ) throws(FileSystemError) {
        let path = "\(folder)/releases/RELEASES"
        do throws(FileSystemError) {
            let permanent = try permanentRelease(path, files)
            guard let boot = try StartErlData.read(in: folder, files: files) else {
                guard let permanent else {
                    throw FileSystemError.unusable(
                        "\(folder)/\(StartErlData.path) names no release that is there")
                }
                return try permanent.write(in: folder, files: files)
            }
            guard permanent?.release != boot.release else { return }
            let contents = try ReleaseContents.read(
                folder, name: name, version: boot.release, files: files)
            try files.replaceFile(path, with: try text(for: contents), mode: 0o644)
        } catch {
            throw .unusable("writing \(path): \(error)")
        }
    }

    /// The release that the file names as permanent; `nil` also for a file that a node could not
    /// read. With such a file the node would not boot at all.
    private static func permanentRelease(
        _ path: String, _ files: any FileSystem
    ) throws(FileSystemError) -> StartErlData? {
        guard let bytes = try ErlangFile.read(path, limit: maximumByteCount, files: files) else {
            return nil
        }
        let terms: [Term]
        do { terms = try ErlangFile.terms(bytes) } catch { return nil }
        guard terms.count == 1, let releases = terms[0].asList else { return nil }
        for release in releases {
            guard let parts = release.asTuple, parts.count == 6, parts[0] == .atom("release"),
                let version = parts[2].asText, let erts = parts[3].asText
            else { return nil }
            if parts[5] == .atom("permanent") { return StartErlData(erts: erts, release: version) }
        }
        return nil
    }

    private static let maximumByteCount = 16 << 20

    /// `[{release, Name, Vsn, ErtsVsn, [{App, AppVsn, Folder}…], permanent}].`
    static func text(for contents: ReleaseContents) throws(FileSystemError) -> [UInt8] {
        var libraries: [Term] = []
        for application in contents.applications {
            guard let folder = application.folderName, let name = try? Atom(application.name) else {
                throw .unusable("\(application.name) does not belong into a path")
            }
            libraries.append(
                .tuple([
                    .atom(name), .charlist(application.version),
                    .charlist("lib/\(folder)"),
                ]))
        }
        let release = Term.tuple([
            .atom("release"), .charlist(contents.name), .charlist(contents.version),
            .charlist(contents.ertsVersion), .list(libraries), .atom("permanent"),
        ])
        return ErlangFile.bytes([.list([release])])
    }
}
