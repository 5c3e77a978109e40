package import Supervisor

/// The process of a host command that runs for an application, so that a later deployex finds it:
/// `BASE/run/APP.command.json`. All of it blocks.
package struct CommandRecordFile: Sendable {
    private let path: String
    private let files: any FileSystem

    package init(folder: String, application: String, files: any FileSystem) {
        path = "\(folder)/\(application).command.json"
        self.files = files
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
