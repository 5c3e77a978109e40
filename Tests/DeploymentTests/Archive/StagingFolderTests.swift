import FaultyDisk
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite struct StagingFolderTests {
    let folder: TemporaryFolder
    let staging: StagingFolder

    init() throws {
        folder = TemporaryFolder()
        staging = StagingFolder(path: folder / "service/app/1/new", files: HostFileSystem())
    }

    @Test func `a temporary folder is made beside the staging folder and takes its place`() throws {
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

    @Test func `what had the name before cannot make fail what has been done`() throws {
        let first = try staging.makeTemporary()
        try staging.put(first)
        let temporary = try staging.makeTemporary()
        try writeFile([1], to: temporary + "/two")
        // Durable, exchanged, durable; then the former one is removed.
        let failing = StagingFolder(
            path: staging.path,
            files: FaultInjectingFileSystem(
                HostFileSystem(), at: 4, fault: .fail(code: ENOTEMPTY)))
        try failing.put(temporary)
        #expect(
            try Set(folder.contents(of: "service/app/1")) == ["new.tmp-1/", "new/", "new/two"])
        #expect(try staging.cleanLeftovers() == ["new.tmp-1"])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `nothing is unpacked through a stranger's link`() throws {
        try makeFolders(folder / "target/new")
        #expect(symlink(folder / "target", folder / "link") == 0)
        #expect(lchown(folder / "link", 54321, 54321) == 0)
        #expect(throws: UnpackFailure.self) { _ = try FolderWriter(folder / "link/new") }
        // Neither is a package read through one.
        try folder.write([1], to: "target/package")
        #expect(throws: UnpackFailure.self) {
            _ = try PackageFile(folder / "link/package", owners: TrustedUsers())
        }
        _ = try PackageFile(folder / "target/package", owners: TrustedUsers())
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `nothing above the base folder is made through a stranger's link`() throws {
        try makeFolders(folder / "target")
        #expect(symlink(folder / "target", folder / "link") == 0)
        #expect(lchown(folder / "link", 54321, 54321) == 0)
        func reach(_ base: String) -> ReleaseReach {
            ReleaseReach(
                basePath: base,
                applications: [
                    .init(
                        layout: DeploymentLayout(basePath: base, application: "app"),
                        replicas: 1,
                        user: ProcessUser(
                            name: "app", id: 54322, group: 54322, groups: [], home: "/"))
                ])
        }
        #expect(throws: FileSystemError.self) {
            try reach(folder / "link/a/base").prepareAncestors()
        }
        #expect(try folder.contents(of: "target") == [])
        try reach(folder / "target/a/base").prepareAncestors()
        #expect(try folder.contents(of: "target") == ["a/"])
    }

    @Test func `leftovers of a killed run are removed, and nothing else`() throws {
        #expect(try staging.cleanLeftovers() == [])
        let leftovers = [try staging.makeTemporary(), try staging.makeTemporary()]
        for leftover in leftovers {
            try makeFolders(leftover + "/a/b")
            try writeFile([1], to: leftover + "/a/b/c")
            #expect(symlink("/etc", leftover + "/a/link") == 0)
            #expect(chmod(leftover + "/a", 0o500) == 0)
        }
        try makeFolders(folder / "service/app/1/new/bin")
        try makeFolders(folder / "service/app/1/newer.tmp-1")
        let names = leftovers.map { String($0.split(separator: "/").last ?? "") }
        #expect(try staging.cleanLeftovers() == names.sorted())
        #expect(try folder.contents(of: "service/app/1") == ["new/", "new/bin/", "newer.tmp-1/"])
        #expect(exists("/etc/passwd"))
    }

    @Test func `a file where a folder must be is an error that says so`() throws {
        try folder.write([1], to: "service")
        #expect(
            throws: FileSystemError.system(
                SystemError("making the folder \(folder / "service/app")", code: ENOTDIR))
        ) { try staging.makeTemporary() }
    }

    /// A package and, beside it, an empty folder or one in which a release is staged already.
    private struct Stage {
        let folder: TemporaryFolder
        let staging: StagingFolder

        init(replaces: Bool, package: [UInt8]) throws {
            folder = TemporaryFolder()
            staging = StagingFolder(path: folder / "1/new", files: HostFileSystem())
            try folder.write(package, to: "app.tar.gz")
            try makeFolders(folder / (replaces ? "1/new/old" : "1"))
        }

        func unpack(_ files: any FileSystem) async throws(UnpackError) {
            _ = try await PackageUnpacker(files: files).unpack(
                folder / "app.tar.gz", into: staging.path, application: "app", version: "1.0.0")
        }

        func contents() throws -> [String] { try folder.contents(of: "1") }
    }

    @Test(arguments: [false, true])
    func `wherever a staging stops or fails, what has the name is whole`(
        replaces: Bool
    ) async throws {
        let package = gzip(TarBuilder.release().ended)
        let counting = FaultInjectingFileSystem(HostFileSystem())
        let undisturbed = try Stage(replaces: replaces, package: package)
        let before = try undisturbed.contents()
        try await undisturbed.unpack(counting)
        let after = try undisturbed.contents()
        #expect(after.contains("new/bin/app"))
        #expect(counting.operationCount == (replaces ? 10 : 9))
        for operation in 1...counting.operationCount {
            for fault in [FaultInjectingFileSystem.Fault.stop, .fail(code: ENOSPC)] {
                let stage = try Stage(replaces: replaces, package: package)
                let files = FaultInjectingFileSystem(HostFileSystem(), at: operation, fault: fault)
                if replaces, operation == counting.operationCount, fault != .stop {
                    // The last is to remove what was there, which can wait.
                    try await stage.unpack(files)
                    #expect(try stage.staging.cleanLeftovers().count == 1)
                    #expect(try stage.contents() == after)
                    continue
                }
                let error = await #expect(throws: UnpackError.self) {
                    try await stage.unpack(files)
                }
                guard case .system = error?.reason else {
                    Issue.record("operation \(operation): \(String(describing: error))")
                    continue
                }
                // A failure, unlike a stop, leaves nothing to clean.
                let removed = try stage.staging.cleanLeftovers()
                if fault != .stop { #expect(removed == [], "operation \(operation)") }
                #expect([before, after].contains(try stage.contents()), "operation \(operation)")
                try await stage.unpack(HostFileSystem())
                #expect(try stage.contents() == after)
            }
        }
    }

    @Test func `wherever a removal stops, what has the name is whole`() throws {
        for operation in 1...2 {
            let stage = try Stage(replaces: true, package: [])
            let before = try stage.contents()
            let files = FaultInjectingFileSystem(HostFileSystem(), at: operation)
            let staging = StagingFolder(path: stage.staging.path, files: files)
            #expect(throws: FileSystemError.stopped) { try staging.remove() }
            try stage.staging.cleanLeftovers()
            #expect(try stage.contents() == (operation == 1 ? before : []))
        }
    }
}
