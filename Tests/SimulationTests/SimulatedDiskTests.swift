import Glibc
import Supervisor
import TestKit
import Testing

@testable import Simulation

@Suite struct SimulatedDiskTests {
    let disk = SimulatedDisk(roots: ["/base", "/log"])

    @Test(arguments: [(DiskFault.Progress.nothing, ""), (.half, "who"), (.all, "whole!")])
    func `a stop in a write leaves none, half or all of it, and nothing happens after it`(
        progress: DiskFault.Progress, left: String
    ) throws {
        let file = try disk.createFile("/base/x", mode: 0o600)
        disk.inject(.stop(progress), after: 1)
        #expect(throws: FileSystemError.stopped) { try file.write(Array("whole!".utf8)[...]) }
        #expect(throws: FileSystemError.stopped) { try file.finish() }
        #expect(throws: FileSystemError.stopped) { try disk.removeFile("/base/x") }
        #expect(throws: FileSystemError.stopped) { try disk.status("/base/x") }
        #expect(disk.isStopped)
        var random = SeededRandom(seed: 1)
        disk.restart(after: .kill, using: &random)
        #expect(try disk.read("/base/x", limit: 9) == Array(left.utf8))
    }

    @Test func `a stop in the removal of a tree leaves a part of it`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        for name in ["1", "2", "3"] { _ = try disk.createFile("/base/a/" + name, mode: 0o600) }
        disk.inject(.stop(.half), after: 1)
        #expect(throws: FileSystemError.stopped) { try disk.removeTree("/base/a") }
        var random = SeededRandom(seed: 1)
        disk.restart(after: .kill, using: &random)
        #expect(try disk.list("/base/a") == ["3"])
    }

    @Test func `an operation fails once, or all of them from there on`() throws {
        disk.inject(.fail(code: EIO, .nothing), after: 2)
        try disk.makeFolder("/base/a", mode: 0o700)
        let failure = FileSystemError.failure("making the folder /base/b", EIO)
        #expect(throws: failure) { try disk.makeFolder("/base/b", mode: 0o700) }
        try disk.makeFolder("/base/b", mode: 0o700)
        disk.inject(.failAll(code: EACCES), after: 1)
        for _ in 0..<2 {
            #expect(throws: FileSystemError.self) { try disk.rename("/base/a", to: "/base/c") }
        }
        disk.clearFault()
        try disk.rename("/base/a", to: "/base/c")
        #expect(try disk.list("/base") == ["b", "c"])
    }

    @Test func `what is changed outside the roots is noted`() throws {
        try disk.makeFolder("/base/a", mode: 0o700)
        try disk.makeFolder("/log/a", mode: 0o700)
        #expect(disk.strayOperations == [])
        try disk.makeFolder("/basement", mode: 0o700)
        try disk.rename("/base/a", to: "/basement/a")
        #expect(
            disk.strayOperations
                == [.makeFolder("/basement"), .rename("/base/a", to: "/basement/a")])
    }

    @Test func `production's durable changes are durable here`() throws {
        try disk.makeFolders("/base/run", mode: 0o700)
        try disk.replaceFile("/base/run/x", with: [1, 2])
        try disk.replaceFile("/base/run/x", with: [3])
        try disk.copyFile("/base/run/x", to: "/base/run/y", mode: 0o600)
        #expect(try disk.list("/base/run") == ["x", "y"])
        var random = SeededRandom(seed: 1)
        disk.restart(after: .powerCut(.synced), using: &random)
        #expect(try disk.list("/base/run") == ["x"], "the name of a copy is the caller's to sync")
        #expect(try disk.read("/base/run/x", limit: 9) == [3])
    }
}
