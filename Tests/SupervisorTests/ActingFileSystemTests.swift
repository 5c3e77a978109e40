import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// What is done as a user is worth no more than what the user may do.
@Suite(.enabled(if: geteuid() == 0, "only root can act as another user"))
struct ActingFileSystemTests {
    let folder = TemporaryFolder()
    let user = ProcessSettingTests.stranger
    let files: ActingFileSystem

    init() throws {
        let prefix = folder("theirs/")
        files = ActingFileSystem(as: user) { $0.hasPrefix(prefix) }
        chmod(folder.path, 0o711)
        mkdir(folder("theirs"), 0o700)
        chown(folder("theirs"), user.id, user.group)
        try "secret".write(toFile: folder("ours"), atomically: true, encoding: .utf8)
        chmod(folder("ours"), 0o600)
    }

    private func owner(_ name: String) -> UInt32? {
        var status = stat()
        return lstat(folder(name), &status) == 0 ? status.st_uid : nil
    }

    @Test func `what is made in the user's part is the user's, and elsewhere ours`() throws {
        try files.replaceFile(folder("theirs/new"), with: Array("x".utf8))
        try files.makeFolders(folder("theirs/a/b"), mode: 0o755)
        try files.replaceFile(folder("new"), with: Array("y".utf8))
        #expect(owner("theirs/new") == user.id)
        #expect(owner("theirs/a/b") == user.id)
        #expect(owner("new") == 0)
        #expect(geteuid() == 0)
        #expect(access(folder("ours"), R_OK) == 0)
    }

    @Test func `a link in the user's part leads to nothing that is ours`() throws {
        symlink(folder("ours"), folder("theirs/link"))
        symlink(folder.path, folder("theirs/up"))
        let paths = ["theirs/link", "theirs/up/ours"].map { folder($0) }
        for path in paths {
            #expect(throws: FileSystemError.self) { try files.read(path, limit: 100) }
            #expect(throws: FileSystemError.self) {
                try files.overwriteFile(path, with: Array("forged".utf8))
            }
            #expect(throws: FileSystemError.self) {
                try files.copyFile(path, to: folder("theirs/copy"), mode: 0o600)
            }
        }
        #expect(throws: FileSystemError.self) {
            try files.replaceFile(folder("theirs/up/forged"), with: [])
        }
        #expect(throws: FileSystemError.self) { try files.removeTree(folder("theirs/up/ours")) }
        #expect(throws: FileSystemError.self) {
            try files.rename(folder("ours"), to: folder("theirs/taken"))
        }
        #expect(folder.text("ours") == "secret")
        #expect(owner("forged") == nil)
    }

    @Test func `what the user makes unreadable, a pipe or a folder is as if it were not there`()
        throws
    {
        mkfifo(folder("theirs/pipe"), 0o666)
        mkdir(folder("theirs/folder"), 0o777)
        try files.replaceFile(folder("theirs/closed"), with: [], mode: 0)
        symlink("loop", folder("theirs/loop"))
        symlink(folder("ours"), folder("theirs/link"))
        for name in ["pipe", "folder", "closed", "loop", "link", "closed/x"] {
            let path = folder("theirs/\(name)")
            let error = #expect(throws: FileSystemError.self) {
                try files.read(path, limit: 100)
            }
            #expect(error?.isNotFound == true, "\(name)")
        }
        chmod(folder("theirs"), 0)
        #expect(try files.status(folder("theirs/folder")) == nil)
        let error = #expect(throws: FileSystemError.self) {
            try files.list(folder("theirs/folder"))
        }
        #expect(error?.isNotFound == true)
    }

    @Test func `what stands in a user's way is named with the remedy`() throws {
        mkdir(folder("a"), 0o711)
        mkdir(folder("a/b"), 0o700)
        mkdir(folder("a/b/c"), 0o711)
        let error = FolderAccess.obstacle(for: user, on: folder("a/b/c"))
        #expect(
            error?.description
                == "reaching \(folder("a/b/c")) as stranger (`chmod o+x \(folder("a/b"))` helps): "
                + "permission denied")
        chmod(folder("a/b"), 0o711)
        #expect(FolderAccess.obstacle(for: user, on: folder("a/b/c")) == nil)
    }

    @Test func `a file of ours is copied into the user's part`() throws {
        try files.copyFile(folder("ours"), to: folder("theirs/copy"), mode: 0o600)
        #expect(folder.text("theirs/copy") == "secret")
        #expect(owner("theirs/copy") == user.id)
    }

    @Test func `what is copied for a user is whose it should be, not what a link there leads to`()
        throws
    {
        let publisher: uid_t = 54_400
        mkdir(folder("storage"), 0o755)
        symlink(folder("ours"), folder("storage/package"))
        chown(folder("storage"), publisher, publisher)
        lchown(folder("storage/package"), publisher, publisher)
        let (source, copy) = (folder("storage/package"), folder("theirs/copy"))
        #expect(throws: FileSystemError.self) {
            try files.copyFile(source, to: copy, mode: 0o600)
        }
        unlink(source)
        try "package".write(toFile: source, atomically: true, encoding: .utf8)
        chown(source, publisher, publisher)
        #expect(throws: FileSystemError.self) {
            try files.copyFile(source, to: copy, mode: 0o600)
        }
        let prefix = folder("theirs/")
        let trusting = ActingFileSystem(
            as: user, sources: TrustedUsers(others: [publisher])
        ) { $0.hasPrefix(prefix) }
        try trusting.copyFile(source, to: copy, mode: 0o600)
        #expect(folder.text("theirs/copy") == "package")
    }

    @Test(.timeLimit(.minutes(1)))
    func `a pipe of the user's does not keep a hot upgrade waiting`() throws {
        mkfifo(folder("theirs/pipe"), 0o666)
        #expect(throws: FileSystemError.self) {
            try files.synchronizeFileSystem(holding: folder("theirs/pipe"))
        }
        #expect(throws: FileSystemError.self) {
            try files.overwriteFile(folder("theirs/pipe"), with: [1])
        }
    }

    @Test func `other threads keep their rights meanwhile`() throws {
        let path = folder("ours")
        let (begin, end) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let isReadable = Guarded(false)
        Thread.detachNewThread {
            begin.wait()
            isReadable.withLock { $0 = (try? HostFileSystem().read(path, limit: 100)) != nil }
            end.signal()
        }
        func waitForTheOther() throws(FileSystemError) {
            begin.signal()
            end.wait()
        }
        try user.acting(waitForTheOther())
        #expect(isReadable.withLock { $0 })
    }

    @Test func `a tree is given with its links, and what is outside of it is not`() throws {
        try files.makeFolders(folder("tree/a"), mode: 0o755)
        try files.replaceFile(folder("tree/a/file"), with: [], mode: 0o755)
        symlink(folder("ours"), folder("tree/a/link"))
        try TreeOwnership.give(folder("tree"), to: user)
        for name in ["tree", "tree/a", "tree/a/file", "tree/a/link"] {
            #expect(owner(name) == user.id, "\(name)")
        }
        #expect(owner("ours") == 0)
    }

    @Test func `a tree that is shown stays ours and becomes readable for the user's group`()
        throws
    {
        try files.makeFolders(folder("tree/a"), mode: 0o700)
        try files.replaceFile(folder("tree/a/file"), with: [], mode: 0o600)
        try TreeOwnership.show(folder("tree"), to: user)
        for (name, mode) in [("tree", 0o750), ("tree/a", 0o750), ("tree/a/file", 0o640)] {
            var status = stat()
            #expect(lstat(folder(name), &status) == 0)
            #expect(status.st_uid == 0 && status.st_gid == user.group)
            #expect(status.st_mode & 0o7777 == UInt32(mode), "\(name)")
        }
    }
}
