import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite struct FolderStoreTests {
    let folder: TemporaryFolder
    let store: FolderStore

    init() throws {
        folder = TemporaryFolder()
        store = FolderStore(root: folder.path, application: "app", environment: "local")
        try makeFolders(folder / "versions/app/local")
        try makeFolders(folder / "dist/app")
    }

    @Test func `the release is the one that current.json names`() async throws {
        #expect(store.currentPath == folder / "versions/app/local/current.json")
        #expect(try await store.current() == nil)
        try folder.write(
            Array(#"{"version":"1.0.0","hash":"local"}"#.utf8),
            to: "versions/app/local/current.json")
        #expect(try await store.current() == Release(version: "1.0.0", hash: "local"))
        let elsewhere = FolderStore(root: folder / "none", application: "a", environment: "b")
        #expect(try await elsewhere.current() == nil)
    }

    @Test func `current.json may be a link to a file`() async throws {
        try folder.write(Array(#"{"version":"2"}"#.utf8), to: "elsewhere")
        #expect(symlink(folder / "elsewhere", store.currentPath) == 0)
        #expect(try await store.current() == Release(version: "2"))
        #expect(unlink(folder / "elsewhere") == 0)
        #expect(try await store.current() == nil)
    }

    @Test func `a wrong current.json is told with its path`() async throws {
        for (text, error): (String, ReleaseError) in [
            ("", .empty), (#"{"version":"1"#, .halfWritten), ("{}", .missingVersion),
            (String(repeating: " ", count: 70_000), .tooLong(byteCount: 65_537)),
        ] {
            try writeFile(Array(text.utf8), to: store.currentPath)
            await #expect(throws: StoreError.invalid(path: store.currentPath, error)) {
                try await store.current()
            }
        }
    }

    @Test func `what is not a regular file is refused without waiting for it`() async throws {
        let refused = StoreError.notAFile(path: store.currentPath)
        #expect(mkfifo(store.currentPath, 0o600) == 0)
        await #expect(throws: refused) { try await store.current() }
        #expect(unlink(store.currentPath) == 0)
        #expect(mkdir(store.currentPath, 0o700) == 0)
        await #expect(throws: refused) { try await store.current() }
        #expect(rmdir(store.currentPath) == 0)
        #expect(symlink("/dev/zero", store.currentPath) == 0)
        await #expect(throws: refused) { try await store.current() }
    }

    @Test func `a file where a folder must be is told`() async throws {
        try HostFileSystem().removeTree(folder / "versions")
        try folder.write([], to: "versions")
        let error = StoreError.unreadable(
            path: store.currentPath, SystemError("opening it", code: ENOTDIR))
        await #expect(throws: error) { try await store.current() }
        #expect(
            error.description == "\(store.currentPath) cannot be read: opening it: "
                + "not a directory; make it readable for deployex")
    }

    @Test func `a package stays where it is`() async throws {
        let release = try Release(version: "1.0.0")
        let path = folder / "dist/app/app-1.0.0.tar.gz"
        #expect(store.packagePath(of: release) == path)
        await #expect(throws: StoreError.missingPackage(path: path)) {
            try await store.package(of: release, into: "/nowhere")
        }
        try writeFile([1], to: path)
        #expect(
            try await store.package(of: release, into: "/nowhere")
                == LocalPackage(path: path))
        #expect(unlink(path) == 0)
        #expect(mkfifo(path, 0o600) == 0)
        await #expect(throws: StoreError.notAFile(path: path)) {
            try await store.package(of: release, into: "/nowhere")
        }
    }

    // MARK: Strangers

    /// A number that nobody has.
    private static let stranger: uid_t = 54321

    @Test(
        .enabled(if: geteuid() == 0, "only root can give files away"),
        arguments: ["", "versions/app", "versions/app/local/current.json"])
    func `what another user can change is not published, unless he is trusted`(
        name: String
    ) async throws {
        try writeFile(Array(#"{"version":"1"}"#.utf8), to: store.currentPath)
        let path = name.isEmpty ? folder.path : folder / name
        chown(path, Self.stranger, Self.stranger)
        let error = await #expect(throws: StoreError.self) { try await store.current() }
        #expect(error?.description.contains("\(path) belongs to uid 54321") == true)
        #expect(error?.description.contains("DEPLOYEX_TRUSTED_USERS") == true)
        let trusting = FolderStore(
            root: folder.path, application: "app", environment: "local",
            publishers: TrustedUsers(others: [Self.stranger]))
        #expect(try await trusting.current() == Release(version: "1"))
    }

    @Test func `a folder that everyone can write to holds no packages`() async throws {
        let release = try Release(version: "1")
        try writeFile([1], to: store.packagePath(of: release))
        _ = try await store.package(of: release, into: folder.path)
        chmod(folder / "dist", 0o777)
        let error = await #expect(throws: StoreError.self) {
            try await store.package(of: release, into: folder.path)
        }
        #expect(error?.description.contains("chmod o-w \(folder / "dist")") == true)
    }
}
