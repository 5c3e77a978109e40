package import Supervisor

/// The process of a host command that runs for an application, so that a later deployex finds it:
/// `BASE/run/APP.command.json`. All of it blocks.
package struct CommandRecordFile: Sendable {
    private let path: String
    private let files: any FileSystem

    package init(folder: String, application: String, files: any FileSystem) {
        path = "\(folder)/\(application)\(Self.suffix)"
        self.files = files
    }

    private static let suffix = ".command.json"

    /// The records in a folder, by application.
    package static func all(
        in folder: String, files: any FileSystem
    ) throws(FileSystemError) -> [(application: String, record: CommandRecordFile)] {
        let names: [String]
        do throws(FileSystemError) {
            names = try files.list(folder)
        } catch {
            if error.isNotFound { return [] }
            throw error
        }
        return names.filter { $0.hasSuffix(suffix) }.map { name in
            let application = String(name.dropLast(suffix.count))
            return (
                application,
                CommandRecordFile(folder: folder, application: application, files: files)
            )
        }
    }

    package func write(_ identity: ProcessIdentity) throws(FileSystemError) {
        try files.replaceFile(path, with: StateFile.bytes(of: identity))
    }

    package func remove() throws(FileSystemError) {
        try files.removeFileDurably(path)
    }

    /// `nil` when no command was running, or when the file makes no sense: it is written before the
    /// program runs.
    package func read() throws(FileSystemError) -> ProcessIdentity? {
        try StateFile.read(ProcessIdentity.self, path, limit: 4096, files: files).value
    }
}
