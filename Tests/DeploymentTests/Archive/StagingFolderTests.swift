import Glibc
import Testing
import Transport

@testable import Deployment

@Suite struct StagingFolderTests {
    let folder: TemporaryFolder
    let staging: StagingFolder

    init() throws {
        folder = try TemporaryFolder()
        staging = StagingFolder(instanceFolder: folder / "service/app/1")
    }

    @Test func `a temporary folder is made beside the staging folder and takes its place`() throws {
        #expect(staging.path == folder / "service/app/1/new")
        for version in ["one", "two"] {
            let temporary = try staging.makeTemporary()
            #expect(temporary.hasPrefix(staging.path + ".tmp-"))
            #expect(try status(temporary).st_mode & 0o7777 == 0o700)
            try writeFile([1], to: temporary + "/" + version)
            try staging.put(temporary)
            #expect(try folder.contents(of: "service/app/1") == ["new/", "new/" + version])
        }
        try staging.remove()
        try staging.remove()
        #expect(try folder.contents(of: "service/app/1") == [])
    }

    @Test func `leftovers of a killed run are removed, and nothing else`() throws {
        #expect(try staging.cleanLeftovers() == [])
        let leftovers = [try staging.makeTemporary(), try staging.makeTemporary()]
        for leftover in leftovers {
            try FolderTree.make(leftover + "/a/b")
            try writeFile([1], to: leftover + "/a/b/c")
            #expect(symlink("/etc", leftover + "/a/link") == 0)
            #expect(chmod(leftover + "/a", 0o500) == 0)
        }
        try FolderTree.make(folder / "service/app/1/new/bin")
        try FolderTree.make(folder / "service/app/1/newer.tmp-1")
        let names = leftovers.map { String($0.split(separator: "/").last ?? "") }
        #expect(try staging.cleanLeftovers() == names.sorted())
        #expect(try folder.contents(of: "service/app/1") == ["new/", "new/bin/", "newer.tmp-1/"])
        #expect(exists("/etc/passwd"))
    }

    @Test func `a file where a folder must be is an error that says so`() throws {
        try folder.write([1], to: "service")
        #expect(
            throws: SystemError("making the folder \(folder / "service/app/1")", code: ENOTDIR)
        ) { try staging.makeTemporary() }
    }
}
