import FaultyDisk
import Foundation
import Glibc
import TestKit
import Testing

@testable import Supervisor

@Suite struct DurableFileTests {
    let folder = TemporaryFolder()
    let host = HostFileSystem()

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `a file is made with mode 0600 and replaced, and no temporary file stays`() throws {
        try host.replaceFile(folder("s"), with: bytes("1"))
        try host.replaceFile(folder("s"), with: bytes("22"))
        #expect(folder.text("s") == "22")
        #expect(try host.status(folder("s"))?.mode == 0o600)
        #expect(try host.list(folder.path) == ["s"])
    }

    @Test func `what a killed run left of a temporary file does not matter`() throws {
        folder.write("half", "s.tmp")
        try host.replaceFile(folder("s"), with: bytes("1"))
        #expect(try host.list(folder.path) == ["s"])
    }

    /// How many changing operations a replacement takes.
    private func operationCount() throws -> Int {
        let counting = FaultInjectingFileSystem(host)
        try counting.replaceFile(folder("count"), with: bytes("x"))
        try host.removeFile(folder("count"))
        return counting.operationCount
    }

    @Test(arguments: [
        FaultInjectingFileSystem.Fault.fail(code: EIO), .tear(code: ENOSPC), .stop,
    ])
    func `a fault at any operation leaves the old or the new content, whole`(
        _ fault: FaultInjectingFileSystem.Fault
    ) throws {
        let count = try operationCount()
        #expect(count == 6)
        for target in 1...count {
            try host.replaceFile(folder("s"), with: bytes("old content"))
            let faulty = FaultInjectingFileSystem(host, at: target, fault: fault)
            let error = #expect(throws: FileSystemError.self) {
                try faulty.replaceFile(folder("s"), with: bytes("new content"))
            }
            // Only after the rename, the fifth, is the new content there.
            #expect(folder.text("s") == (target == 6 ? "new content" : "old content"), "\(target)")
            if case .tear = fault { #expect(error?.isFull == true) }
            if fault != .stop { #expect(try host.list(folder.path) == ["s"], "\(target)") }
            // The next attempt succeeds, whatever was left.
            try host.replaceFile(folder("s"), with: bytes("next"))
            #expect(folder.text("s") == "next")
            #expect(try host.list(folder.path) == ["s"])
        }
    }

    @Test func `after a stop nothing works any more`() throws {
        folder.write("x", "f")
        let stopped = FaultInjectingFileSystem(host, at: 1, fault: .stop)
        #expect(throws: FileSystemError.stopped) { try stopped.removeFile(folder("f")) }
        #expect(throws: FileSystemError.stopped) { try stopped.read(folder("f"), limit: 9) }
        #expect(throws: FileSystemError.stopped) { try stopped.removeTree(folder("f")) }
        #expect(folder.text("f") == "x")
    }

    @Test func `folders are made with those above them`() throws {
        try host.makeFolders(folder("a/b/c"), mode: 0o750)
        for name in ["a", "a/b", "a/b/c"] {
            #expect(try host.status(folder(name))?.mode == 0o750)
        }
        chmod(folder("a/b/c"), 0o700)
        try host.makeFolders(folder("a/b/c"), mode: 0o750)
        #expect(try host.status(folder("a/b/c"))?.mode == 0o700)
        folder.write("", "file")
        #expect(throws: FileSystemError.self) {
            try host.makeFolders(folder("file/x"), mode: 0o700)
        }
        #expect(throws: FileSystemError.self) {
            try host.makeFolders(folder("file"), mode: 0o700)
        }
    }

    @Test func `a private folder is made, or must be private already`() throws {
        try host.makePrivateFolder(folder("base"))
        #expect(try host.status(folder("base"))?.mode == 0o700)
        try host.makePrivateFolder(folder("base"))

        chmod(folder("base"), 0o755)
        let open = #expect(throws: FileSystemError.self) {
            try host.makePrivateFolder(folder("base"))
        }
        #expect(
            open?.description
                == "using \(folder("base")): others may enter it; run: chmod 700 \(folder("base"))")

        chmod(folder("base"), 0o700)
        #expect(throws: FileSystemError.self) {
            try host.makePrivateFolder(folder("base"), owner: geteuid() + 1)
        }
        symlink(folder("base"), folder("link"))
        #expect(throws: FileSystemError.self) { try host.makePrivateFolder(folder("link")) }
    }
}
