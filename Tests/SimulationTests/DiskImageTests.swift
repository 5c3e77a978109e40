import Glibc
import Supervisor
import TestKit
import Testing

@testable import Simulation

/// What can be found at a path after a power cut, over many cuts.
private func outcomes(
    of path: String, after survivals: [DiskImage.Survival] = DiskImage.Survival.allCases,
    _ disk: SimulatedDisk
) -> Set<String> {
    var random = SeededRandom(seed: 1)
    var found: Set<String> = []
    for _ in 0..<200 {
        for survival in survivals {
            let left = disk.image.afterPowerCut(survival, using: &random)
            guard let status = left.status(path) else {
                found.insert("nothing")
                continue
            }
            guard status.kind == .file else {
                found.insert("folder")
                continue
            }
            let bytes = try? left.read(path, limit: 100)
            switch bytes ?? [] {
            case Array("whole".utf8), Array("older".utf8):
                found.insert(String(decoding: bytes ?? [], as: UTF8.self))
            case []: found.insert("empty")
            case let bytes where "whole".utf8.starts(with: bytes): found.insert("cut")
            case let bytes where bytes.count == 5: found.insert("garbage")
            default: found.insert("?")
            }
        }
    }
    return found
}

@Suite struct DiskImageTests {
    let disk = SimulatedDisk(roots: ["/base"])

    private func create(
        _ path: String, _ text: String = "whole", finishes: Bool = true
    ) throws {
        let file = try disk.createFile(path, mode: 0o600)
        try file.write(Array(text.utf8)[...])
        if finishes { try file.finish() }
    }

    // MARK: What programs see

    @Test func `what was written is read, listed and told of`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try create("/base/a/two")
        try create("/base/a/one", "12")
        #expect(try disk.list("/base/a") == ["one", "two"])
        #expect(try disk.read("/base/a/two", limit: 5) == Array("whole".utf8))
        #expect(throws: FileSystemError.tooLarge(path: "/base/a/two", limit: 4)) {
            try disk.read("/base/a/two", limit: 4)
        }
        let status = try disk.status("/base/a/one")
        #expect(status == FileStatus(kind: .file, byteCount: 2, mode: 0o600, owner: 0))
        #expect(try disk.status("/base/a/three") == nil)
        #expect(try disk.status("/base/a/one/x") == nil)
    }

    @Test(arguments: [
        (ENOENT, "/base/missing/x", "/base/a"), (ENOENT, "/base/x", "/base/a"),
        (ENOTDIR, "/base/a", "/base/f/x"), (ENOTEMPTY, "/base/a", "/base/full"),
        (ENOTDIR, "/base/a", "/base/f"), (EISDIR, "/base/f", "/base/a"),
        (EINVAL, "/base/full", "/base/full/x"),
    ])
    func `a rename that Linux refuses is refused`(
        code: Int32, source: String, destination: String
    ) throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/base/full", mode: 0o700)
        try create("/base/full/x")
        try create("/base/f")
        let error = #expect(throws: FileSystemError.self) {
            try disk.rename(source, to: destination)
        }
        #expect(error?.code == code)
    }

    @Test func `renames replace files and empty folders, exchanges swap`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/base/b", mode: 0o700)
        try create("/base/a/x")
        try disk.rename("/base/a", to: "/base/b")
        #expect(try disk.list("/base") == ["b"])
        #expect(try disk.list("/base/b") == ["x"])
        try create("/base/f", "older")
        try disk.exchange("/base/b", "/base/f")
        #expect(try disk.list("/base/f") == ["x"])
        #expect(try disk.read("/base/b", limit: 9) == Array("older".utf8))
        try create("/base/g")
        try disk.rename("/base/g", to: "/base/b")
        #expect(try disk.read("/base/b", limit: 9) == Array("whole".utf8))
    }

    @Test func `removing is no error where nothing is, and takes a whole tree`() throws {
        try disk.removeFile("/base/x")
        try disk.removeTree("/base/x")
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/base/a/b", mode: 0o700)
        try create("/base/a/b/c")
        let used = disk.image.availableByteCount
        try disk.removeTree("/base/a")
        #expect(try disk.list("/base") == [])
        #expect(disk.image.availableByteCount == used + 3 * 256 + 5)
    }

    @Test func `a full disk takes what fits and says so`() throws {
        disk.alter { $0.capacity = $0.capacity - $0.availableByteCount + 256 + 3 }
        let file = try disk.createFile("/base/x", mode: 0o600)
        let error = #expect(throws: FileSystemError.self) {
            try file.write(Array("whole".utf8)[...])
        }
        #expect(error?.isFull == true)
        #expect(try disk.read("/base/x", limit: 9) == Array("who".utf8))
        #expect(throws: FileSystemError.self) { try disk.createFile("/base/y", mode: 0o600) }
        try disk.removeFile("/base/x")
        try create("/base/z", "123")
    }

    // MARK: What a power cut leaves

    @Test func `a file is durable only with its content and its name`() throws {
        try create("/base/x", finishes: false)
        let unsynced: Set = ["nothing", "whole", "empty", "cut", "garbage"]
        #expect(outcomes(of: "/base/x", disk) == unsynced)
        try disk.synchronizeFolder("/base")
        #expect(outcomes(of: "/base/x", disk) == unsynced.subtracting(["nothing"]))
        try create("/base/y")
        #expect(outcomes(of: "/base/y", disk) == ["nothing", "whole"])
        try disk.synchronizeFolder("/base")
        #expect(outcomes(of: "/base/y", disk) == ["whole"])
        #expect(outcomes(of: "/base/x", disk).count > 1, "its content was never synced")
        try disk.synchronizeFileSystem(holding: "/base")
        #expect(outcomes(of: "/base/x", disk) == ["whole"])
    }

    @Test func `a file replaced by write, fsync and rename is the old one or the new one`() throws {
        try create("/base/x", "older")
        try disk.synchronizeFolder("/base")
        try create("/base/x.tmp")
        try disk.rename("/base/x.tmp", to: "/base/x")
        #expect(outcomes(of: "/base/x", disk) == ["older", "whole"])
        #expect(outcomes(of: "/base/x", after: [.synced], disk) == ["older"])
        #expect(outcomes(of: "/base/x", after: [.allEntries], disk) == ["whole"])
    }

    @Test func `a file renamed before its fsync may be anything`() throws {
        try create("/base/x", "older")
        try disk.synchronizeFolder("/base")
        try create("/base/x.tmp", finishes: false)
        try disk.rename("/base/x.tmp", to: "/base/x")
        #expect(outcomes(of: "/base/x", disk).isSuperset(of: ["older", "empty", "cut", "garbage"]))
    }

    @Test func `a file written anew in its place may be old, new, empty, cut or garbage`() throws {
        try create("/base/x", "older")
        try disk.synchronizeFolder("/base")
        disk.alter { image throws(FileSystemError) in
            try image.overwrite("/base/x", with: Array("whole".utf8))
        }
        #expect(outcomes(of: "/base/x", disk) == ["older", "whole", "empty", "cut", "garbage"])
    }

    @Test func `an exchange is whole or not at all`() throws {
        for name in ["one", "two"] {
            try disk.makeFolder("/base/\(name)", mode: 0o700)
            try create("/base/\(name)/\(name)")
        }
        try disk.synchronizeFileSystem(holding: "/base")
        try disk.exchange("/base/one", "/base/two")
        var random = SeededRandom(seed: 1)
        var seen: Set<[String]> = []
        for _ in 0..<50 {
            let left = disk.image.afterPowerCut(.eachFolderItsMoment, using: &random)
            seen.insert(try left.list("/base/one") + left.list("/base/two"))
        }
        #expect(seen == [["one", "two"], ["two", "one"]])
    }

    @Test func `within a folder nothing overtakes anything, between folders it may`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/base/b", mode: 0o700)
        try disk.synchronizeFolder("/base")
        for name in ["1", "2"] {
            try create("/base/a/" + name)
            try create("/base/b/" + name)
        }
        var random = SeededRandom(seed: 1)
        var seen: Set<[String]> = []
        for _ in 0..<200 {
            let left = disk.image.afterPowerCut(.eachFolderItsMoment, using: &random)
            let (a, b) = (try left.list("/base/a"), try left.list("/base/b"))
            #expect([[], ["1"], ["1", "2"]].contains(a))
            seen.insert(a + ["|"] + b)
        }
        #expect(
            seen.contains(["1", "2", "|"]), "the later change of a without the earlier one of b")
        #expect(seen.contains(["|", "1", "2"]))
        #expect(seen.count == 9)
    }

    @Test func `a rename between folders is on both sides or on none`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/base/b", mode: 0o700)
        try create("/base/a/x")
        try disk.synchronizeFileSystem(holding: "/base")
        try create("/base/a/before")
        try disk.rename("/base/a/x", to: "/base/b/x")
        var random = SeededRandom(seed: 1)
        for _ in 0..<100 {
            let left = disk.image.afterPowerCut(.eachFolderItsMoment, using: &random)
            #expect((left.status("/base/a/x") == nil) == (left.status("/base/b/x") != nil))
        }
        try disk.synchronizeFolder("/base/b")
        let left = disk.image.afterPowerCut(.synced, using: &random)
        #expect(try left.list("/base/a") == ["before"], "what came before the rename in its folder")
        #expect(try left.list("/base/b") == ["x"])
    }

    @Test func `the same seed leaves the same disk`() throws {
        for number in 1...9 { try create("/base/\(number)", finishes: false) }
        let lists = try (0..<2).map { _ in
            var random = SeededRandom(seed: 7)
            let left = disk.image.afterPowerCut(.eachFolderItsMoment, using: &random)
            return try left.list("/base").map { try left.read("/base/\($0)", limit: 9) }
        }
        #expect(lists[0] == lists[1])
    }
}
