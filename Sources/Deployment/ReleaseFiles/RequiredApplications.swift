internal import ExternalTermFormat
internal import Supervisor

/// The applications that a release starts when it boots and cannot do without.
///
/// These are the applications that its `.rel` file calls permanent, or gives no type, and that no
/// other of its applications includes. Only the including application starts an included one, if at
/// all.
///
/// Source: rel(4), SASL; app(4), Kernel.
struct RequiredApplications: Equatable, Sendable {
    /// In the order of the `.rel` file.
    let names: [String]

    /// Reads the applications that the release `version` in `folder` starts.
    static func read(
        _ folder: String, name: String, version: String, files: any FileSystem
    ) throws(FileSystemError) -> RequiredApplications {
        let contents = try ReleaseContents.read(
            folder, name: name, version: version, files: files)
        var included: Set<String> = []
        for application in contents.applications {
            included.formUnion(application.included)
            // An application of an emulator outside of the release has no folder here.
            guard let library = application.folderName, isPathComponent(application.name),
                let bytes = try ErlangFile.read(
                    "\(folder)/lib/\(library)/ebin/\(application.name).app",
                    limit: ReleaseContents.maximumByteCount, files: files)
            else { continue }
            included.formUnion(try ApplicationFile(bytes).names("included_applications"))
        }
        return RequiredApplications(
            names: contents.applications.filter { $0.isPermanent && !included.contains($0.name) }
                .map(\.name))
    }
}
