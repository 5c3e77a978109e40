internal import Supervisor

/// A file system that hands on what it is asked. Those that change one thing override that.
class ForwardingFiles: FileSystem, @unchecked Sendable {
    let inner: any FileSystem

    init(_ inner: any FileSystem) {
        self.inner = inner
    }

    /// Before each operation.
    func check() throws(FileSystemError) {}

    func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        try check()
        return try inner.read(path, limit: limit)
    }
    func createFile(_ path: String, mode: UInt32) throws(FileSystemError) -> any NewFile {
        try check()
        return try inner.createFile(path, mode: mode)
    }
    func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        try check()
        try inner.overwriteFile(path, with: bytes)
    }
    func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try check()
        try inner.rename(source, to: destination)
    }
    func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try check()
        try inner.exchange(first, second)
    }
    func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try check()
        try inner.synchronizeFolder(path)
    }
    func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        try check()
        try inner.synchronizeFileSystem(holding: path)
    }
    func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        try check()
        try inner.makeFolder(path, mode: mode)
    }
    func removeFile(_ path: String) throws(FileSystemError) {
        try check()
        try inner.removeFile(path)
    }
    func removeTree(_ path: String) throws(FileSystemError) {
        try check()
        try inner.removeTree(path)
    }
    func list(_ path: String) throws(FileSystemError) -> [String] {
        try check()
        return try inner.list(path)
    }
    func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        try check()
        return try inner.status(path)
    }
    func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        try check()
        try inner.copyFile(source, to: destination, mode: mode)
    }
}

/// A file that hands on what is written, and tells when it is.
final class ForwardingFile: NewFile {
    private let inner: any NewFile
    private let onWrite: (ArraySlice<UInt8>) throws(FileSystemError) -> Void

    init(
        _ inner: any NewFile,
        onWrite: @escaping (ArraySlice<UInt8>) throws(FileSystemError) -> Void
    ) {
        self.inner = inner
        self.onWrite = onWrite
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        try onWrite(bytes)
        try inner.write(bytes)
    }

    func finish() throws(FileSystemError) { try inner.finish() }
}

/// The disk as one deployex sees it: when its process has ended, it does nothing there any more.
final class ProcessFiles: ForwardingFiles, @unchecked Sendable {
    private let loop: SimulatedLoop

    init(_ disk: SimulatedDisk, _ loop: SimulatedLoop) {
        self.loop = loop
        super.init(disk)
    }

    override func check() throws(FileSystemError) {
        if loop.hasEnded { throw .stopped }
    }
}
