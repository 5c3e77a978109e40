internal import ExternalTermFormat
package import Supervisor

/// The `release_handler`'s list of the releases in a folder: `releases/RELEASES`.
///
/// `mix release` makes none. A node that boots without it invents a release without libraries, and
/// `remove_release` deletes the libraries in use. A running node never reads it again, so it has to be there
/// before the first boot. Paths are relative: they stay right when the folder is renamed.
///
/// Source: `transform_release` and `write_releases`, `release_handler`, SASL.
package enum ReleasesFile {
    /// Writes the file for the one release in `folder` that boots next, if there is none that can be read.
    ///
    /// To be called before the release is started. It blocks.
    package static func write(
        for folder: String, name: String, files: any FileSystem
    ) throws(ReleasesFileError) {
        let path = "\(folder)/releases/RELEASES"
        do throws(FileContentError) {
            if let bytes = try ErlangFile.read(path, limit: 16 << 20, files: files),
                isWhole(bytes)
            {
                return
            }
            let boot = try ReleaseContents.bootVersions(folder, files: files)
            let contents = try ReleaseContents.read(
                folder, name: name, version: boot.release, files: files)
            let text = try text(for: contents)
            do throws(FileSystemError) {
                try files.replaceFile(path, with: text, mode: 0o644)
            } catch {
                throw FileContentError("\(error)")
            }
        } catch {
            throw ReleasesFileError("writing \(path): \(error)")
        }
    }

    /// Whether the node could read it: an interrupted `make_permanent` leaves it cut.
    private static func isWhole(_ bytes: [UInt8]) -> Bool {
        do throws(FileContentError) {
            let terms = try ErlangFile.terms(bytes)
            return terms.count == 1 && terms[0].asList?.isEmpty == false
        } catch {
            return false
        }
    }

    /// `[{release, Name, Vsn, ErtsVsn, [{App, AppVsn, Folder}…], permanent}].`
    static func text(for contents: ReleaseContents) throws(FileContentError) -> [UInt8] {
        var libraries: [Term] = []
        for application in contents.applications {
            guard let folder = application.folderName else {
                throw FileContentError("\(application.name) does not belong into a path")
            }
            libraries.append(
                .tuple([
                    .atom(Atom(application.name)), .charlist(application.version),
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

/// Why there is no RELEASES file. The release starts without it, too.
package struct ReleasesFileError: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}
