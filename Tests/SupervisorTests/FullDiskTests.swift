import FaultyDisk
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// What must be written when there is no space any more.
@Suite struct FullDiskTests {
    let folder = TemporaryFolder()
    let name = InstanceName(app: "counter", number: 1)

    private func record(_ pid: Int32, version: String = "0.1.2") -> InstanceRecord {
        InstanceRecord(
            name: name, process: ProcessIdentity(pid: pid, startTicks: 1, bootID: "b"),
            version: version)
    }

    /// Whether the user may mount a file system, as root may.
    private static let canMount = geteuid() == 0 && access("/proc/self/ns/mnt", R_OK) == 0

    @Test(.enabled(if: canMount))
    func `on a full file system records are written all the same, as often as need be`() throws {
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=256k,nr_inodes=64") == 0 else {
            // In a container root may be forbidden to.
            return
        }
        defer { umount2(folder.path, Int32(MNT_DETACH)) }
        let host = HostFileSystem()
        let records = InstanceRecordFolder(base: folder.path, fileSystem: host)
        try records.prepare()
        try records.write(record(100))
        let filler = try host.createFile(folder("log"), mode: 0o600)
        let chunk = [UInt8](repeating: 1, count: 1024)
        let full = #expect(throws: FileSystemError.self) {
            while true { try filler.write(chunk[...]) }
        }
        #expect(full?.isFull == true)
        #expect(throws: FileSystemError.self) { try host.replaceFile(folder("a"), with: chunk) }
        for pid in Int32(101)...120 {
            let long = record(pid, version: String(repeating: "1", count: Int(pid)))
            try records.write(long)
            #expect(try records.read(name) == .found(long))
        }
        // Once there is space it goes on as before.
        try host.removeFile(folder("log"))
        try records.write(record(200))
        #expect(try records.read(name) == .found(record(200)))
        #expect(try host.list(folder("run")) == ["counter-1.json", "counter-1.json.spare"])
        try records.remove(name)
        #expect(try host.list(folder("run")) == [])
    }

    /// A disk that is full for new files, and stops at one of the operations of the way around that.
    @Test func `a stop at any operation on a full disk leaves the old record or the new one`()
        throws
    {
        let host = HostFileSystem()
        var stopped = 0
        for target in 1...12 {
            let records = InstanceRecordFolder(base: folder.path, fileSystem: host)
            try records.prepare()
            try records.write(record(100))
            let faulty = FaultInjectingFileSystem(FullFileSystem(base: host), at: target)
            do {
                try InstanceRecordFolder(base: folder.path, fileSystem: faulty).write(record(101))
            } catch FileSystemError.stopped {
                stopped += 1
            }
            let found = try records.read(name)
            #expect(found == .found(record(100)) || found == .found(record(101)), "\(target)")
            if faulty.operationCount < target { #expect(found == .found(record(101))) }
        }
        #expect(stopped >= 5)
    }
}

/// A file system on which no new file finds any space.
private struct FullFileSystem: FileSystem {
    let base: HostFileSystem

    func createFile(_ path: String, mode: UInt32) throws(FileSystemError) -> any NewFile {
        throw .system(SystemError("making \(path)", code: ENOSPC))
    }
    func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        try base.read(path, limit: limit)
    }
    func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        try base.overwriteFile(path, with: bytes)
    }
    func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try base.rename(source, to: destination)
    }
    func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try base.exchange(first, second)
    }
    func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try base.synchronizeFolder(path)
    }
    func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        try base.synchronizeFileSystem(holding: path)
    }
    func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        try base.makeFolder(path, mode: mode)
    }
    func removeFile(_ path: String) throws(FileSystemError) { try base.removeFile(path) }
    func removeTree(_ path: String) throws(FileSystemError) { try base.removeTree(path) }
    func list(_ path: String) throws(FileSystemError) -> [String] { try base.list(path) }
    func status(_ path: String) throws(FileSystemError) -> FileStatus? { try base.status(path) }
    func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        try base.copyFile(source, to: destination, mode: mode)
    }
}
