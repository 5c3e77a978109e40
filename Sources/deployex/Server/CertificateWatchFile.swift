internal import Notifications
internal import Supervisor

/// What was told of certificates, in `BASE/certificates.json`. All of it blocks.
struct CertificateWatchFile: Sendable {
    private let path: String
    private let files: any FileSystem

    /// - Parameter files: reach the base folder.
    init(basePath: String, files: any FileSystem) {
        path = basePath + "/certificates.json"
        self.files = files
    }

    /// - Returns: `nil` if there is none that is understood. The worst is that something is told
    ///   again.
    func read() -> CertificateWatch? {
        do throws(FileSystemError) {
            let watch = try StateFile.read(CertificateWatch.self, path, files: files).value
            return watch?.format == CertificateWatch.currentFormat ? watch : nil
        } catch {
            return nil
        }
    }

    func write(_ watch: CertificateWatch) throws(FileSystemError) {
        try files.replaceFile(path, with: StateFile.bytes(of: watch))
    }
}
