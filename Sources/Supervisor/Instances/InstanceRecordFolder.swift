/// The records of the instances, in `BASE/run`. Every call blocks.
package struct InstanceRecordFolder: Sendable {
    /// What is known about an instance.
    package enum Finding: Equatable, Sendable {
        case absent
        case found(InstanceRecord)
        /// The record could not be understood and was set aside. It counts as absent.
        case damaged(setAsideAs: String, reason: String)
    }

    /// A record is some hundred bytes; a longer file is damaged.
    private static let byteLimit = 16 << 10
    /// The counts of instances and restarts that are accepted. Computing with them does not
    /// overflow.
    private static let counts = 0...Int(Int32.max)

    package let path: String
    private let fileSystem: any FileSystem

    /// `base` is deployex's private folder.
    package init(base: String, fileSystem: any FileSystem) {
        path = base + "/run"
        self.fileSystem = fileSystem
    }

    /// Makes the folder; call this before anything else.
    package func prepare() throws(FileSystemError) {
        try fileSystem.makeFolders(path, mode: 0o700)
    }

    package func filePath(_ name: InstanceName) -> String {
        "\(path)/\(name).json"
    }

    /// The length of a record is a multiple of this many bytes, padded with spaces, so that one
    /// record can overwrite another on a full disk.
    static let slotByteCount = 1024

    /// Writes a record durably. Once there has been space for it, this works on a full disk too.
    package func write(_ record: InstanceRecord) throws(FileSystemError) {
        try fileSystem.replaceFileOnFullDisk(
            filePath(record.name),
            with: StateFile.bytes(of: record, paddedTo: Self.slotByteCount))
    }

    /// Removes the record of an instance, durably.
    package func remove(_ name: InstanceName) throws(FileSystemError) {
        try fileSystem.removeFileAndSpare(filePath(name))
    }

    /// Reads the record of an instance. A damaged one is renamed to `….damaged`, which replaces an
    /// older such file.
    package func read(_ name: InstanceName) throws(FileSystemError) -> Finding {
        let path = filePath(name)
        let record: InstanceRecord
        switch try StateFile.read(
            InstanceRecord.self, path, limit: Self.byteLimit, files: fileSystem)
        {
        case .absent: return .absent
        case .damaged(let reason): return try setAside(path, reason: reason)
        case .found(let found): record = found
        }
        guard record.format == InstanceRecord.currentFormat else {
            return try setAside(path, reason: "its format is \(record.format)")
        }
        guard record.name == name,
            ([record.process].compactMap(\.self) + (record.others ?? [])).allSatisfy({ $0.pid > 1 })
        else {
            return try setAside(path, reason: "it is of another instance or process")
        }
        // They are used for counting.
        guard [record.restarts.crash, record.restarts.forced].allSatisfy(Self.counts.contains)
        else { return try setAside(path, reason: "no instance restarts so often") }
        return .found(record)
    }

    /// The instances that have a record, whether or not they are configured any more.
    package func names() throws(FileSystemError) -> [InstanceName] {
        try fileSystem.list(path).compactMap(Self.name(ofFile:))
    }

    /// The instance whose record has that file name; `nil` if it is not a record of ours.
    static func name(ofFile file: String) -> InstanceName? {
        guard file.hasSuffix(".json") else { return nil }
        let stem = file.dropLast(5)
        guard
            let dash = stem.lastIndex(of: "-"), dash != stem.startIndex,
            let number = Int(stem[stem.index(after: dash)...]), counts.contains(number), number > 0
        else { return nil }
        let name = InstanceName(app: String(stem[..<dash]), number: InstanceNumber(number))
        return "\(name).json" == file ? name : nil
    }

    private func setAside(
        _ path: String, reason: String
    ) throws(FileSystemError) -> Finding {
        .damaged(setAsideAs: try fileSystem.setAside(path), reason: reason)
    }
}
