import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite struct FolderPublisherTests {
    let folder = TemporaryFolder()

    private var publisher: FolderPublisher {
        FolderPublisher(
            store: FolderStore(root: folder / "store", application: "app", environment: "prod"),
            files: HostFileSystem())
    }

    private func package(_ text: String) throws -> UploadedPackage {
        let bytes = Array(text.utf8)
        try folder.write(bytes, to: "package")
        return UploadedPackage(
            path: folder / "package", byteCount: Int64(bytes.count),
            sha256: Digest.text(Digest.sha256(bytes)))
    }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt32(status.st_mode) & 0o777 : 0
    }

    @Test func `what is published is what the store finds`() async throws {
        let package = try package("the package")
        let release = try Release(version: "1.0.0", hash: "x", sha256: package.sha256)
        #expect(try await publisher.readCurrent() == nil)
        #expect(try await publisher.publishedSHA256(of: release) == nil)
        try await publisher.upload(package, of: release, signature: Array("s".utf8)) { _ in }
        #expect(try await publisher.publishedSHA256(of: release) == package.sha256)
        #expect(try await publisher.store.current() == nil)
        try await publisher.swapCurrent(to: release.published, expecting: nil)
        #expect(try await publisher.store.current() == release)
        #expect(
            try folder.contents(of: "store/dist/app")
                == ["app-1.0.0.tar.gz", "app-1.0.0.tar.gz.minisig"])
        #expect(mode(publisher.store.packagePath(of: release)) == 0o644)
        #expect(mode(publisher.catalog) == 0o644)
        #expect(mode(folder / "store/dist/app") == 0o755)
    }

    @Test func `a signature is replaced, and goes if there is no new one`()
        async throws
    {
        let package = try package("the package")
        let release = try Release(version: "1.0.0", sha256: package.sha256)
        #expect(try await publisher.publishedSignature(of: release) == nil)
        try await publisher.upload(package, of: release, signature: Array("a".utf8)) { _ in }
        #expect(try await publisher.publishedSignature(of: release) == Array("a".utf8))
        try await publisher.upload(package, of: release, signature: Array("b".utf8)) { _ in }
        #expect(try await publisher.publishedSignature(of: release) == Array("b".utf8))
        #expect(mode(publisher.store.packagePath(of: release) + ".minisig") == 0o644)
        try await publisher.upload(package, of: release, signature: nil) { _ in }
        #expect(try folder.contents(of: "store/dist/app") == ["app-1.0.0.tar.gz"])
    }

    @Test func `of two that saw the same, only one publishes`() async throws {
        let (first, second) = (try Release(version: "1"), try Release(version: "2"))
        try await publisher.swapCurrent(to: first.published, expecting: nil)
        let conflict = PublishError.conflict(publisher.catalog)
        await #expect(throws: conflict) {
            try await publisher.swapCurrent(to: second.published, expecting: nil)
        }
        let token = try await publisher.readCurrent()?.token
        try await publisher.swapCurrent(to: second.published, expecting: token)
        await #expect(throws: conflict) {
            try await publisher.swapCurrent(to: first.published, expecting: token)
        }
        #expect(try await publisher.store.current() == second)
    }

    @Test func `a package that changes while it is copied is not published`() async throws {
        var package = try package("the package")
        package.sha256 = String(repeating: "0", count: 64)
        await #expect(throws: PublishError.changed(path: package.path)) {
            try await publisher.upload(package, of: Release(version: "1"), signature: nil) { _ in }
        }
        #expect(try folder.contents(of: "store/dist/app") == [])
    }
}
