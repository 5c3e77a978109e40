package import Supervisor

/// The application's record on disk. All of it blocks.
package struct ApplicationRecordFile: Sendable {
    package let path: String
    private let files: any FileSystem

    /// Room for 200 outcomes and 50 ghosts of 20 lines each, with every text as long as allowed.
    private static let byteLimit = 8 << 20

    package init(layout: DeploymentLayout, files: any FileSystem) {
        path = layout.applicationRecord
        self.files = files
    }

    package func write(_ record: ApplicationRecord) throws(FileSystemError) {
        try files.replaceFile(path, with: StateFile.bytes(of: record))
    }

    /// Sets a damaged record aside and adds a finding that says so. Then history and ghosts are
    /// gone.
    package func read(findings: inout [String]) throws(FileSystemError) -> ApplicationRecord? {
        let record = try StateFile.take(
            ApplicationRecord.self, path, limit: Self.byteLimit, files: files, findings: &findings)
        guard let record, record.format == ApplicationRecord.currentFormat else {
            if let record {
                findings.append(
                    "\(path) has format \(record.format): it is kept as \(try files.setAside(path))"
                )
            }
            return nil
        }
        return record
    }
}
