package import Supervisor
internal import Transport

/// A file system that fails, or stops for good, at a chosen operation, so that a test can try every
/// one of them. Only operations that change something are counted, from 1; each write to a new file
/// and its finish count as well.
package final class FaultInjectingFileSystem: FileSystem {
    package enum Fault: Equatable, Sendable {
        /// The operation does nothing and throws this errno value; later ones work.
        case fail(code: Int32)
        /// A write leaves half of its bytes and throws this errno value, as a full disk does.
        case tear(code: Int32)
        /// Neither the operation nor any later one does anything, reads included.
        case stop
    }

    private struct State {
        var operationCount = 0
        var isStopped = false
    }

    private let base: any FileSystem
    private let target: Int?
    private let fault: Fault
    private let state = Guarded(State())

    /// Without `target` it only counts.
    package init(_ base: any FileSystem, at target: Int? = nil, fault: Fault = .stop) {
        self.base = base
        self.target = target
        self.fault = fault
    }

    /// The changing operations so far.
    package var operationCount: Int { state.withLock { $0.operationCount } }

    private func passing() throws(FileSystemError) {
        guard !state.withLock({ $0.isStopped }) else { throw .stopped }
    }

    /// Counts a changing operation; throws when its turn has come. Returns whether it is torn.
    fileprivate func changing(_ attempt: String) throws(FileSystemError) -> Bool {
        let isHit = state.withLock { state in
            state.operationCount += 1
            guard state.operationCount == target else { return false }
            if fault == .stop { state.isStopped = true }
            return true
        }
        try passing()
        guard isHit else { return false }
        switch fault {
        case .fail(let code): throw .system(SystemError(attempt, code: code))
        case .tear: return true
        case .stop: throw .stopped
        }
    }

    /// What an operation that cannot be torn does when its turn to be torn has come.
    private func change(_ attempt: String) throws(FileSystemError) {
        guard try changing(attempt), case .tear(let code) = fault else { return }
        throw .system(SystemError(attempt, code: code))
    }

    fileprivate var tearCode: Int32 {
        switch fault {
        case .tear(let code), .fail(let code): code
        case .stop: 0
        }
    }

    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        try passing()
        return try base.read(path, limit: limit)
    }

    package func createFile(_ path: String, mode: UInt32) throws(FileSystemError) -> any NewFile {
        try change("making \(path)")
        return FaultInjectingFile(
            base: try base.createFile(path, mode: mode), fileSystem: self, path: path)
    }

    package func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        guard try changing("writing \(path)"), case .tear(let code) = fault else {
            return try base.overwriteFile(path, with: bytes)
        }
        try base.overwriteFile(path, with: Array(bytes.prefix(bytes.count / 2)))
        throw .system(SystemError("writing \(path)", code: code))
    }

    package func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try change("renaming \(source) to \(destination)")
        try base.rename(source, to: destination)
    }

    package func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try change("exchanging \(first) and \(second)")
        try base.exchange(first, second)
    }

    package func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try change("making \(path) durable")
        try base.synchronizeFolder(path)
    }

    package func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        try change("making \(path) durable")
        try base.synchronizeFileSystem(holding: path)
    }

    package func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        try change("making the folder \(path)")
        try base.makeFolder(path, mode: mode)
    }

    package func removeFile(_ path: String) throws(FileSystemError) {
        try change("removing \(path)")
        try base.removeFile(path)
    }

    package func removeTree(_ path: String) throws(FileSystemError) {
        try change("removing \(path)")
        try base.removeTree(path)
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        try passing()
        return try base.list(path)
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        try passing()
        return try base.status(path)
    }

    package func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        try change("copying \(source) to \(destination)")
        try base.copyFile(source, to: destination, mode: mode)
    }
}

private final class FaultInjectingFile: NewFile {
    private let base: any NewFile
    private let fileSystem: FaultInjectingFileSystem
    private let path: String

    init(base: any NewFile, fileSystem: FaultInjectingFileSystem, path: String) {
        self.base = base
        self.fileSystem = fileSystem
        self.path = path
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        guard try fileSystem.changing("writing \(path)") else { return try base.write(bytes) }
        try base.write(bytes.prefix(bytes.count / 2))
        throw .system(SystemError("writing \(path)", code: fileSystem.tearCode))
    }

    func finish() throws(FileSystemError) {
        guard try fileSystem.changing("making \(path) durable") else { return try base.finish() }
        throw .system(SystemError("making \(path) durable", code: fileSystem.tearCode))
    }
}
