internal import Deployment
internal import FoundationEssentials
internal import Supervisor

/// Tells the invariants which records are on the disk for certain, as far as deployex can know.
final class ObservedFiles: ForwardingFiles, @unchecked Sendable {
    private unowned let world: SimulatedWorld
    /// What was written to each temporary file.
    private var written: [String: [UInt8]] = [:]
    /// What has taken its name, and is durable with its folder.
    private var renamed: [String: [UInt8]] = [:]

    init(_ inner: any FileSystem, _ world: SimulatedWorld) {
        self.world = world
        super.init(inner)
    }

    override func createFile(
        _ path: String, mode: UInt32
    ) throws(FileSystemError) -> any NewFile {
        guard isRecord(path) else { return try super.createFile(path, mode: mode) }
        written[path] = []
        return ForwardingFile(try super.createFile(path, mode: mode)) {
            bytes throws(FileSystemError) in self.written[path, default: []] += bytes
        }
    }

    override func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try super.rename(source, to: destination)
        renamed[destination] = written.removeValue(forKey: source)
    }

    override func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try super.synchronizeFolder(path)
        for (file, bytes) in renamed where file.isBelow(path) {
            renamed[file] = nil
            if file == world.layout.applicationRecord {
                if let record = try? JSONDecoder().decode(ApplicationRecord.self, from: Data(bytes))
                {
                    world.invariants.saved(record)
                }
            } else if number(of: file) != nil, file.hasSuffix(".json"),
                let record = try? JSONDecoder().decode(InstanceRecord.self, from: Data(bytes))
            {
                world.invariants.recorded(record, world)
            }
        }
    }

    private func isRecord(_ path: String) -> Bool {
        path.hasPrefix(world.layout.applicationRecord) || number(of: path) != nil
    }

    private func number(of path: String) -> InstanceNumber? {
        let prefix = "/base/run/\(Scenario.application)-"
        guard path.hasPrefix(prefix) else { return nil }
        return path.dropFirst(prefix.count).first?.wholeNumberValue.map { InstanceNumber($0) }
    }
}
