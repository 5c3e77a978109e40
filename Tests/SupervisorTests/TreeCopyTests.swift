import Foundation
import Glibc
import Supervisor
import TestKit
import Testing

/// A folder that is copied while somebody else may change it.
@Suite struct TreeCopyTests {
    private let folder = TemporaryFolder()
    private let copy = TreeCopy(owners: [geteuid()], omitting: ["tmp"])
    private var source: String { folder.path + "/source" }
    private var destination: String { folder.path + "/destination" }

    init() throws {
        try Files.makeFolders(folder.path + "/source/lib/empty")
        try Files.makeFolders(folder.path + "/destination")
    }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(lstat(path, &status) == 0)
        return status.st_mode & 0o7777
    }

    @Test func `files, modes, times, links and empty folders are copied, and no file is shared`()
        throws
    {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try Files.write(bytes, source + "/lib/beam")
        try Files.write([], source + "/nothing")
        try #require(chmod(source + "/lib/beam", 0o750) == 0)
        try #require(chmod(source + "/lib/empty", 0o710) == 0)
        let time = timespec(tv_sec: 1_700_000_000, tv_nsec: 5)
        try #require(utimensat(AT_FDCWD, source + "/lib/beam", [time, time], 0) == 0)
        try #require(symlink("../lib/beam", source + "/lib/link") == 0)
        #expect(try copy.copy(source, to: destination) == 300_000)
        #expect(Files.bytes(destination + "/lib/link") == bytes)
        #expect(try mode(destination + "/lib/beam") == 0o750)
        #expect(try mode(destination + "/lib/empty") == 0o710)
        var status = stat()
        try #require(lstat(destination + "/lib/beam", &status) == 0)
        #expect(status.st_mtim.tv_sec == 1_700_000_000 && status.st_nlink == 1)
        // What one instance writes into its file no other one sees.
        try Files.write([1, 2, 3], destination + "/lib/beam")
        #expect(Files.bytes(source + "/lib/beam") == bytes)
    }

    @Test func `what is left out is left out at the top only`() throws {
        try Files.makeFolders(source + "/tmp")
        try Files.makeFolders(source + "/lib/tmp")
        try Files.write([1], source + "/tmp/secret")
        try Files.write([1], source + "/lib/tmp/file")
        #expect(try copy.copy(source, to: destination) == 1)
        #expect(access(destination + "/tmp", F_OK) != 0)
    }

    /// Its owner may have put it there to be shown what it must not read.
    @Test func `a file with another name, or of another user, is not copied`() throws {
        try Files.write(Array("a secret".utf8), folder.path + "/elsewhere")
        try #require(link(folder.path + "/elsewhere", source + "/lib/hard") == 0)
        #expect(throws: FileSystemError.self) { try copy.copy(source, to: destination) }
        try #require(unlink(source + "/lib/hard") == 0)
        let strict = TreeCopy(owners: [geteuid() + 1])
        try Files.write([1], source + "/file")
        #expect(throws: FileSystemError.self) { try strict.copy(source, to: destination) }
    }

    @Test func `a link is copied as a link, wherever it leads`() throws {
        try #require(symlink("/etc/hostname", source + "/link") == 0)
        #expect(try copy.copy(source, to: destination) == 0)
        let target = try FileManager.default.destinationOfSymbolicLink(
            atPath: destination + "/link")
        #expect(target == "/etc/hostname")
    }

    @Test func `a pipe is not waited for`() throws {
        try #require(mkfifo(source + "/pipe", 0o600) == 0)
        #expect(throws: FileSystemError.self) { try copy.copy(source, to: destination) }
    }
}
