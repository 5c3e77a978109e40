import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite struct HostFileSystemTests {
    let folder = TemporaryFolder()
    let files = HostFileSystem()

    @Test func `a file is read up to the limit and not beyond`() throws {
        folder.write("12345", "a")
        #expect(try files.read(folder("a"), limit: 5) == Array("12345".utf8))
        #expect(throws: FileSystemError.tooLarge(path: folder("a"), limit: 4)) {
            try files.read(folder("a"), limit: 4)
        }
    }

    @Test func `two files are the same to their last byte, or not`() throws {
        let text = String(repeating: "0123456789", count: 60_000)
        for (name, content) in [("a", text), ("b", text), ("c", text + "x"), ("d", text + "y")] {
            folder.write(content, name)
        }
        #expect(try files.isSame(folder("a"), folder("b")))
        #expect(try !files.isSame(folder("a"), folder("c")))
        #expect(try !files.isSame(folder("c"), folder("d")))
        #expect(throws: FileSystemError.self) { try files.isSame(folder("a"), folder("none")) }
    }

    @Test func `an absent file is told from other errors, with what was attempted`() {
        let error = #expect(throws: FileSystemError.self) {
            try files.read(folder("none"), limit: 1)
        }
        #expect(error?.isNotFound == true)
        #expect(error?.description == "reading \(folder("none")): no such file or directory")
        let other = #expect(throws: FileSystemError.self) {
            try files.read(folder.path, limit: 1)
        }
        #expect(other?.code == EISDIR)
    }

    @Test func `a new file has its mode whatever the umask, and replaces nothing`() throws {
        let file = try files.createFile(folder("n"), mode: 0o666)
        try file.write(Array("ab".utf8)[...])
        try file.write(Array("xcx".utf8)[1..<2])
        try file.finish()
        #expect(folder.text("n") == "abc")
        #expect(try files.status(folder("n"))?.mode == 0o666)
        let error = #expect(throws: FileSystemError.self) {
            _ = try files.createFile(folder("n"), mode: 0o600)
        }
        #expect(error?.code == EEXIST)
        symlink(folder("elsewhere"), folder("dangling"))
        #expect(throws: FileSystemError.self) {
            _ = try files.createFile(folder("dangling"), mode: 0o600)
        }
    }

    @Test func `a write to a full disk is an error`() throws {
        let raw = open("/dev/full", O_WRONLY)
        try #require(raw >= 0)
        let file = HostNewFile(path: "/dev/full", descriptor: FileDescriptor(owning: raw))
        let error = #expect(throws: FileSystemError.self) {
            try file.write([1, 2, 3])
        }
        #expect(error?.isFull == true)
        #expect(error?.description == "writing /dev/full: no space left on device")
    }

    @Test func `two folders change places in one step`() throws {
        try files.makeFolder(folder("new"), mode: 0o700)
        try files.makeFolder(folder("current"), mode: 0o700)
        folder.write("2", "new/v")
        folder.write("1", "current/v")
        try files.exchange(folder("new"), folder("current"))
        #expect(folder.text("new/v") == "1")
        #expect(folder.text("current/v") == "2")
        #expect(throws: FileSystemError.self) {
            try files.exchange(folder("new"), folder("none"))
        }
    }

    @Test func `what is at a path is told without following links`() throws {
        folder.write("123", "f", mode: 0o640)
        symlink(folder("f"), folder("l"))
        let found = try #require(try files.status(folder("f")))
        #expect(
            found
                == FileStatus(
                    kind: .file, byteCount: 3, mode: 0o640, owner: geteuid(),
                    changedAt: found.changedAt))
        #expect(found.changedAt > 1_700_000_000_000_000_000)
        #expect(try files.status(folder("l"))?.kind == .symbolicLink)
        #expect(try files.status(folder.path)?.kind == .folder)
        #expect(try files.status("/dev/null")?.kind == .other)
        #expect(try files.status(folder("none")) == nil)
        #expect(try files.status(folder("f/none")) == nil)
    }

    @Test func `names come sorted`() throws {
        for name in ["b", "a", ".c"] { folder.write("", name) }
        #expect(try files.list(folder.path) == [".c", "a", "b"])
    }

    @Test func `a copy has the content and the mode that was asked for`() throws {
        let text = String(repeating: "x", count: 300_000)
        folder.write(text, "a")
        try files.copyFile(folder("a"), to: folder("b"), mode: 0o755)
        #expect(folder.text("b") == text)
        #expect(try files.status(folder("b"))?.mode == 0o755)
    }

    @Test func `a tree is removed, and nothing that its links point to`() throws {
        try files.makeFolders(folder("t/a/b"), mode: 0o700)
        try files.makeFolder(folder("outside"), mode: 0o700)
        folder.write("keep", "outside/file")
        folder.write("x", "t/a/b/file")
        symlink(folder("outside"), folder("t/a/folder"))
        symlink(folder("outside/file"), folder("t/file"))
        symlink(folder("none"), folder("t/dangling"))
        for mode in [0o000, 0o300, 0o500] as [mode_t] {
            try files.makeFolder(folder("t/locked-\(mode)"), mode: 0o700)
            folder.write("x", "t/locked-\(mode)/file")
            chmod(folder("t/locked-\(mode)"), mode)
        }
        try files.removeTree(folder("t"))
        #expect(try files.list(folder.path) == ["outside"])
        #expect(folder.text("outside/file") == "keep")
    }

    @Test func `names that are no text are removed as well`() throws {
        try files.makeFolder(folder("t"), mode: 0o700)
        let bytes = Array(folder("t/x").utf8CString).dropLast() + [CChar(bitPattern: 0xFF), 0]
        let raw = Glibc.open(Array(bytes), O_WRONLY | O_CREAT, 0o600)
        try #require(raw >= 0)
        close(raw)
        try files.removeTree(folder("t"))
        #expect(try files.status(folder("t")) == nil)
    }

    @Test func `a folder of many entries is removed`() throws {
        // More than one read of a folder returns.
        try files.makeFolders(folder("t/z"), mode: 0o700)
        for index in 0..<2000 { folder.write("", "t/\(index)") }
        try files.removeTree(folder("t"))
        #expect(try files.list(folder.path) == [])
    }

    @Test func `a file system is made durable through a folder on it`() throws {
        try files.synchronizeFileSystem(holding: folder.path)
        let error = #expect(throws: FileSystemError.self) {
            try files.synchronizeFileSystem(holding: folder("none"))
        }
        #expect(error?.isNotFound == true)
    }

    @Test func `removing a link removes the link alone`() throws {
        try files.makeFolder(folder("outside"), mode: 0o700)
        folder.write("keep", "outside/file")
        symlink(folder("outside"), folder("link"))
        try files.removeTree(folder("link"))
        #expect(try files.list(folder.path) == ["outside"])
        #expect(folder.text("outside/file") == "keep")
    }

    @Test func `removing what is not there is no error`() throws {
        try files.removeTree(folder("none"))
        try files.removeTree(folder("none/none"))
        try files.removeFile(folder("none"))
    }

    @Test func `a path that names no entry is not removed`() {
        for path in ["/", folder.path + "/.", folder.path + "/.."] {
            #expect(throws: FileSystemError.self) { try files.removeTree(path) }
        }
    }

    /// A chain of folders, deeper than a path may be long.
    private func makeChain(_ name: String, _ count: Int, file: String? = nil) {
        var parent = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for name in [name] + Array(repeating: "d", count: count) {
            mkdirat(parent, name, 0o700)
            if let file { close(openat(parent, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)) }
            let next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            close(parent)
            parent = next
        }
        for index in 0..<100 { mkdirat(parent, "\(index)", 0o500) }
        close(parent)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a tree of any depth is removed, and nothing beside it`() throws {
        try files.makeFolders(folder("in/beside"), mode: 0o700)
        for depth in [30, 31, 32, 33, 64, 250, 5000] {
            makeChain("in/deep", depth, file: "beside-\(depth)")
            try files.removeTree(folder("in/deep"))
            #expect(try files.list(folder("in")) == ["beside"], "\(depth)")
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `what is moved up to be removed has no name that stands in its way`() throws {
        makeChain("deep", 40)
        for index in 0..<5 {
            try files.makeFolders(folder("deep/.deployex-removed-\(index)/full"), mode: 0o700)
        }
        folder.write("x", "deep/.deployex-removed-5")
        try files.removeTree(folder("deep"))
        #expect(try files.list(folder.path) == [])
    }

    @Test(.timeLimit(.minutes(1)))
    func `a pipe keeps nobody waiting`() throws {
        let pipe = folder("pipe")
        mkfifo(pipe, 0o600)
        #expect(throws: FileSystemError.self) { try files.synchronizeFileSystem(holding: pipe) }
        #expect(throws: FileSystemError.self) { try files.synchronizeFolder(pipe) }
        #expect(throws: FileSystemError.self) { _ = try files.read(pipe, limit: 9) }
        #expect(throws: FileSystemError.self) { try files.overwriteFile(pipe, with: [1]) }
        #expect(throws: FileSystemError.self) {
            try files.copyFile(pipe, to: folder("copy"), mode: 0o600)
        }
        #expect(try files.list(folder.path) == ["pipe"])
    }
}
