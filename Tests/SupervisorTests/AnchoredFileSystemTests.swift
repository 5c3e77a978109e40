import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Root's file operations below a folder in which an application's own user may write.
@Suite(.enabled(if: geteuid() == 0, "only root can give files away"))
struct AnchoredFileSystemTests {
    let folder = TemporaryFolder()
    let files: HostFileSystem
    private static let stranger: uid_t = 54321

    init() throws {
        mkdir(folder("base"), 0o700)
        mkdir(folder("base/app"), 0o755)
        mkdir(folder("base/app/real"), 0o755)
        mkdir(folder("outside"), 0o755)
        folder.write("outside", "outside/file")
        folder.write("inside", "base/app/real/file")
        symlink(folder("outside"), folder("base/app/link"))
        symlink(folder("outside/file"), folder("base/app/file"))
        for name in ["base/app", "base/app/real", "base/app/link", "base/app/file"] {
            lchown(folder(name), Self.stranger, Self.stranger)
        }
        files = HostFileSystem(
            below: FolderAnchor(try PathTrust().folder(folder("base")), path: folder("base")))
    }

    private func expectRefused(_ body: () throws(FileSystemError) -> Void) {
        #expect(throws: FileSystemError.self) { try body() }
        #expect(folder.text("outside/file") == "outside")
        #expect((try? HostFileSystem().list(folder("outside"))) == ["file"])
    }

    @Test func `no operation goes through his link`() {
        let (link, file) = (folder("base/app/link"), folder("base/app/link/file"))
        expectRefused { () throws(FileSystemError) in _ = try files.read(file, limit: 9) }
        expectRefused { () throws(FileSystemError) in
            _ = try files.read(folder("base/app/file"), limit: 9)
        }
        expectRefused { () throws(FileSystemError) in
            _ = try files.createFile(link + "/new", mode: 0o600)
        }
        expectRefused { () throws(FileSystemError) in try files.overwriteFile(file, with: [1]) }
        expectRefused { () throws(FileSystemError) in
            try files.overwriteFile(folder("base/app/file"), with: [1])
        }
        expectRefused { () throws(FileSystemError) in
            try files.rename(file, to: folder("base/app/taken"))
        }
        expectRefused { () throws(FileSystemError) in
            try files.rename(folder("base/app/real/file"), to: file)
        }
        expectRefused { () throws(FileSystemError) in
            try files.exchange(folder("base/app/real/file"), file)
        }
        expectRefused { () throws(FileSystemError) in try files.synchronizeFolder(link) }
        expectRefused { () throws(FileSystemError) in
            try files.makeFolder(link + "/new", mode: 0o700)
        }
        expectRefused { () throws(FileSystemError) in try files.makeFolder(link, mode: 0o700) }
        expectRefused { () throws(FileSystemError) in try files.removeFile(file) }
        expectRefused { () throws(FileSystemError) in try files.removeTree(file) }
        expectRefused { () throws(FileSystemError) in _ = try files.list(link) }
        expectRefused { () throws(FileSystemError) in _ = try files.status(file) }
        expectRefused { () throws(FileSystemError) in
            try files.copyFile(file, to: folder("base/copy"), mode: 0o600)
        }
        expectRefused { () throws(FileSystemError) in
            try files.replaceFile(file, with: [1])
        }
    }

    @Test func `his link itself is seen and removed, and what it leads to stays`() throws {
        #expect(try files.status(folder("base/app/link"))?.kind == .symbolicLink)
        try files.removeFile(folder("base/app/file"))
        try files.removeTree(folder("base/app"))
        #expect(try files.status(folder("base/app")) == nil)
        #expect(folder.text("outside/file") == "outside")
    }

    @Test func `without links all is as it is elsewhere`() throws {
        let real = folder("base/app/real")
        #expect(try files.read(real + "/file", limit: 9) == Array("inside".utf8))
        try files.makeFolders(real + "/a/b", mode: 0o700)
        try files.replaceFile(real + "/a/b/c", with: [65])
        try files.copyFile(real + "/a/b/c", to: real + "/copy", mode: 0o640)
        try files.exchange(real + "/a", real + "/copy")
        try files.synchronizeFolder(real)
        #expect(try files.list(real) == ["a", "copy", "file"])
        #expect(try files.read(real + "/a", limit: 9) == [65])
        #expect(try files.status(real + "/none/none") == nil)
        try files.removeFile(real + "/none/none")
        try files.removeTree(real + "/none/none")
        // Outside the kernel walks.
        #expect(try files.read(folder("outside/file"), limit: 9) == Array("outside".utf8))
    }

    @Test func `the folder itself is the one that was opened, whatever has its name now`() throws {
        rename(folder("base"), folder("moved"))
        symlink(folder("outside"), folder("base"))
        #expect(try files.list(folder("base")) == ["app"])
        try files.synchronizeFolder(folder("base"))
    }
}
