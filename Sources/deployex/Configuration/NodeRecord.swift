internal import ErlDist
internal import Supervisor
internal import Transport

/// How deployex can be reached, as `deployex start` leaves it for the commands of its user and of
/// root: `BASE/node.json`, mode 0600.
///
/// ```json
/// {"format":1,"node":"deployex@server","uses_long_names":false,"epmd_port":4369,
///  "cookie":"…","process":{"pid":4711,"start_ticks":889123,"boot_id":"6a1c…"}}
/// ```
/// It stays when deployex ends: the instances go on, and the next deployex needs their cookie.
struct NodeRecord: Equatable, Codable, Sendable {
    /// Where the settings of TLS come from; both paths are absolute.
    struct TLS: Equatable, Codable, Sendable {
        var optionsFile: String?
        var certificateFolder: String?

        private enum CodingKeys: String, CodingKey {
            case optionsFile = "options_file"
            case certificateFolder = "certificates"
        }
    }

    static let currentFormat = 1

    private(set) var format = currentFormat
    var node: String
    var usesLongNames: Bool
    var epmdPort: UInt16
    var cookie: String
    /// `nil` without TLS.
    var tls: TLS?
    /// The deployex that has written it.
    var process: ProcessIdentity
    /// The EPMD that a deployex of this folder has started, if one has.
    var epmd: ProcessIdentity?

    init(
        node: NodeName, usesLongNames: Bool, epmdPort: UInt16, cookie: String, tls: TLS?,
        process: ProcessIdentity, epmd: ProcessIdentity?
    ) {
        self.node = node.text
        self.usesLongNames = usesLongNames
        self.epmdPort = epmdPort
        self.cookie = cookie
        self.tls = tls
        self.process = process
        self.epmd = epmd
    }

    private enum CodingKeys: String, CodingKey {
        case format, node, cookie, tls, process, epmd
        case usesLongNames = "uses_long_names"
        case epmdPort = "epmd_port"
    }

    /// The node's host.
    var host: String? { try? NodeName(node).host }

    // MARK: On disk

    static func path(in base: String) -> String { base + "/node.json" }

    private static let maximumByteCount = 64 << 10

    /// A record as it was found.
    enum Finding: Equatable {
        case absent
        case found(NodeRecord)
        /// It is not believed, or cannot be read.
        case refused(String)
    }

    /// Reads the record of a base folder, if it belongs to somebody whom the caller trusts and
    /// nobody else can read it. It blocks.
    static func read(in base: String, owners: TrustedUsers = TrustedUsers()) -> Finding {
        let path = path(in: base)
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(
                path, as: .secret, owners: owners, limit: maximumByteCount)
        } catch {
            if case .refused(let refusal) = error, refusal.isNotFound { return .absent }
            return .refused("\(error)")
        }
        guard case .found(let record) = StateFile.content(NodeRecord.self, bytes),
            record.format == currentFormat, !record.cookie.isEmpty, record.process.pid > 1,
            (record.epmd?.pid ?? 2) > 1, record.host != nil
        else { return .refused("\(path) cannot be understood") }
        return .found(record)
    }

    /// Writes the record durably; also on a full disk, if one was written there before. It blocks.
    func write(in base: String, files: any FileSystem) throws(FileSystemError) {
        try files.replaceFileOnFullDisk(
            Self.path(in: base), with: StateFile.bytes(of: self, paddedTo: 1024))
    }
}
