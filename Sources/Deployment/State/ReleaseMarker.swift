package import Supervisor

/// Says which release a folder holds, in a file in the folder itself. So the folder and the
/// statement change places in one step, and the version files can be made anew from the folders.
///
/// `FOLDER/.deployex.json`: `{"version":"0.1.2","hash":"local","deployment":"full_deployment"}`
package enum ReleaseMarker {
    static let name = ".deployex.json"

    /// Writes it into a folder that is being filled. It becomes durable with the rest of the
    /// folder.
    package static func put(
        _ release: DeployedRelease, in folder: String, files: any FileSystem
    ) throws(FileSystemError) {
        let path = "\(folder)/\(name)"
        // A package may hold a file of that name.
        try files.removeTree(path)
        let file = try files.createFile(path, mode: 0o600)
        try file.write(StateFile.bytes(of: release)[...])
        try file.finish()
    }

    /// Changes it in a folder that is in use, durably.
    static func replace(
        _ release: DeployedRelease, in folder: String, files: any FileSystem
    ) throws(FileSystemError) {
        try files.replaceFile("\(folder)/\(name)", with: StateFile.bytes(of: release))
    }

    /// The release that the folder's marker names; `nil` if the marker is missing or damaged.
    package static func read(
        in folder: String, files: any FileSystem
    ) throws(FileSystemError) -> DeployedRelease? {
        try StateFile.read(
            DeployedRelease.self, "\(folder)/\(name)", files: files
        ).value
    }
}
