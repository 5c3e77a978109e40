import Foundation
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite struct PackageUnpackerTests {
    let folder: TemporaryFolder
    let package: String
    let new: String

    init() throws {
        folder = TemporaryFolder()
        package = folder / "app-1.0.0.tar.gz"
        new = folder / "service/app/1/new"
    }

    func unpack(
        _ unpacker: PackageUnpacker = PackageUnpacker(files: HostFileSystem())
    ) async throws(UnpackError) -> UnpackSummary {
        try await unpacker.unpack(package, into: new, application: "app", version: "1.0.0")
    }

    /// The error of unpacking `bytes`, after which nothing but the package is there.
    func failure(
        _ bytes: [UInt8], _ unpacker: PackageUnpacker = PackageUnpacker(files: HostFileSystem())
    ) async throws -> UnpackError? {
        try writeFile(bytes, to: package)
        do {
            _ = try await unpack(unpacker)
            return nil
        } catch {
            #expect(try folder.contents(of: "service/app/1") == [])
            return error
        }
    }

    private func error(_ reason: UnpackFailure) -> UnpackError {
        UnpackError(package: package, reason: reason)
    }

    /// This thread shares its umask with no other from now on. Source: unshare(2), CLONE_FS.
    private static func takeOwnUmask() throws {
        typealias Unshare = @convention(c) (Int32) -> Int32
        let unshare = unsafeBitCast(try #require(dlsym(nil, "unshare")), to: Unshare.self)
        try #require(unshare(0x200) == 0)
    }

    /// On a thread with a umask of its own: that of the process is the other tests' as well.
    private func unpackWithStrictUmask() async throws -> UnpackSummary {
        let job = UnpackJob(
            unpacker: PackageUnpacker(files: HostFileSystem()), package: package,
            signature: package + ".minisig",
            staging: StagingFolder(path: new, files: HostFileSystem()),
            layout: ReleaseLayout(application: "app", version: "1.0.0"), hash: "local",
            sha256: nil, cancellation: Cancellation(), progress: nil)
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try Self.takeOwnUmask()
                        umask(0o077)
                        return try job.run()
                    })
            }
        }
    }

    @Test func `a release is unpacked with modes, times and links`() async throws {
        let tar = TarBuilder.release { tar in
            tar.addFile("releases/COOKIE", "secret", mode: 0o400)
            tar.addLink("lib/link", to: "../bin/app")
            tar.addFile("bin/tool", "old", mode: 0o755)
            tar.addHardLink("bin/hard", to: "bin/tool")
            tar.addFile("bin/tool", "new", mode: 0o6775)
            tar.addFolder("empty", mode: 0o7700)
        }
        try writeFile(gzip(tar.ended), to: package)
        #expect(try await unpackWithStrictUmask() == UnpackSummary(entryCount: 9, byteCount: 37))
        #expect(
            try folder.contents(of: "service/app/1") == [
                "new/", "new/.deployex.json", "new/bin/", "new/bin/app", "new/bin/hard",
                "new/bin/tool", "new/empty/",
                "new/lib/", "new/lib/link", "new/releases/", "new/releases/1.0.0/",
                "new/releases/1.0.0/sys.config", "new/releases/COOKIE",
                "new/releases/start_erl.data",
            ])
        let modes = [
            "": 0o755, "/bin": 0o755, "/bin/app": 0o755, "/bin/tool": 0o755, "/empty": 0o700,
            "/releases/COOKIE": 0o600, "/releases/start_erl.data": 0o644,
        ]
        for (path, mode) in modes {
            #expect(try status(new + path).st_mode & 0o7777 == UInt32(mode), "\(path)")
        }
        #expect(try status(new + "/bin/app").st_mtim.tv_sec == 1_700_000_000)
        #expect(try readFile(new + "/bin/hard") == Array("old".utf8))
        #expect(try readFile(new + "/bin/tool") == Array("new".utf8))
        #expect(try readFile(new + "/lib/link") == Array("#!/bin/sh\n".utf8))
    }

    @Test func `an unpacked release is copied for another instance, and only whole`() async throws {
        try writeFile(gzip(TarBuilder.release().ended), to: package)
        let summary = try await unpack()
        // What has been started there may have left something that is its own.
        try makeFolders(new + "/tmp")
        try writeFile([1], to: new + "/tmp/secret")
        let other = folder / "service/app/2/new"
        let unpacker = PackageUnpacker(files: HostFileSystem())
        func copy() async throws(FileSystemError) {
            try await unpacker.copy(
                new, into: other, application: "app", version: "1.0.0", hash: "b",
                byteCount: summary.byteCount)
        }
        try await copy()
        let names = try folder.contents(of: "service/app/1").filter { !$0.hasPrefix("new/tmp") }
        #expect(try folder.contents(of: "service/app/2") == names)
        #expect(try readFile(other + "/bin/app") == readFile(new + "/bin/app"))
        #expect(
            try ReleaseMarker.read(in: other, files: HostFileSystem())
                == DeployedRelease(version: "1.0.0", hash: "b", deployment: .fullDeployment))
        // Somebody has removed a part of it meanwhile.
        try HostFileSystem().removeTree(other)
        try HostFileSystem().removeFile(new + "/releases/start_erl.data")
        await #expect(throws: FileSystemError.self) { try await copy() }
        #expect(try folder.contents(of: "service/app/2") == [])
    }

    @Test func `what was in the folder is replaced as a whole`() async throws {
        try makeFolders(new + "/old/folder")
        try writeFile([1], to: new + "/old/file")
        try writeFile(gzip(TarBuilder.release().ended), to: package)
        _ = try await unpack()
        #expect(try folder.contents(of: "service/app/1").contains("new/bin/app"))
        #expect(!exists(new + "/old"))
    }

    @Test func `a failure leaves what was in the folder`() async throws {
        try makeFolders(new + "/old")
        try writeFile([1], to: package)
        await #expect(throws: error(.damaged(.notGzip))) {
            try await unpack()
        }
        #expect(try folder.contents(of: "service/app/1") == ["new/", "new/old/"])
    }

    @Test func `missing, empty, and no regular file`() async throws {
        await #expect(throws: error(.missing)) { try await unpack() }
        try writeFile([], to: package)
        await #expect(throws: error(.empty)) { try await unpack() }
        #expect(unlink(package) == 0)
        #expect(mkfifo(package, 0o600) == 0)
        await #expect(throws: error(.notAFile)) { try await unpack() }
        #expect(unlink(package) == 0)
        #expect(mkdir(package, 0o700) == 0)
        await #expect(throws: error(.notAFile)) { try await unpack() }
        #expect(try folder.contents() == ["app-1.0.0.tar.gz/"])
    }

    @Test func `hostile members are named and nothing is left`() async throws {
        let outside = folder / "outside"
        try writeFile([7], to: outside)
        let cases: [(String, PolicyViolation, (inout TarBuilder) -> Void)] = [
            ("../../../../outside", .parentInPath, { $0.addFile("../../../../outside") }),
            (outside, .absolutePath, { $0.addFile(outside) }),
            ("x", .linkLeavesFolder(target: "../outside"), { $0.addLink("x", to: "../outside") }),
            (
                "x/y", .throughLink(link: "x"),
                {
                    $0.addLink("x", to: "../../../..")
                    $0.addFile("x/y")
                }
            ),
            (
                "h", .linkLeavesFolder(target: "../../../../outside"),
                { $0.addHardLink("h", to: "../../../../outside") }
            ),
            (
                "x", .linkLeavesFolder(target: "y/.."),
                {
                    $0.addLink("x", to: "y/..")
                    $0.addLink("y", to: ".")
                }
            ),
        ]
        for (entry, violation, build) in cases {
            #expect(
                try await failure(gzip(TarBuilder.release(then: build).ended))
                    == error(.refused(entry: entry, violation)))
        }
        #expect(
            try await failure(gzip(TarBuilder.release { $0.add("tty", type: "3") }.ended))
                == error(
                    .malformed(.unsupportedType(entry: "tty", type: "a character device"))))
        #expect(try readFile(outside) == [7])
        #expect(try folder.contents().filter { $0.hasPrefix("x") || $0.hasPrefix("h") } == [])
    }

    @Test func `the wrong release is said to be so`() async throws {
        func found(_ build: (inout TarBuilder) -> Void) async throws -> String? {
            var tar = TarBuilder()
            build(&tar)
            guard
                case .wrongPackage(let expected, let found) = try await failure(
                    gzip(tar.ended))?.reason
            else { return nil }
            return "\(expected) | \(found)"
        }
        #expect(
            try await found { _ in } == "an executable `bin/app` | a package with nothing in it")
        #expect(
            try await found { $0.addFile("app-1.0.0/bin/app", mode: 0o755) }
                == "an executable `bin/app` | a package with `app-1.0.0`")
        #expect(
            try await found { $0.addFile("bin/other", mode: 0o755) }
                == "an executable `bin/app` | `bin` with `other`")
        #expect(
            try await found { $0.addFile("bin/app", mode: 0o644) }
                == "an executable `bin/app` | one that is not executable")
        #expect(
            try await found { $0 = .release(version: "0.9.0") } == "app 1.0.0 | app 0.9.0")
        #expect(
            try await found { $0.addFile("bin/app", mode: 0o755) }
                == "app 1.0.0 with a folder `releases/1.0.0` | no folder `releases`")
        #expect(
            try await found {
                $0.addFile("bin/app", mode: 0o755)
                $0.addFolder("releases/0.9.0")
            } == "app 1.0.0 with a folder `releases/1.0.0` | `releases` with `0.9.0`")
    }

    @Test func `limits hold for bytes and members`() async throws {
        let tar = TarBuilder.release { $0.addFile("big", String(repeating: "x", count: 5000)) }
        var limits = ArchiveLimits()
        limits.byteCount = 4999
        #expect(
            try await failure(
                gzip(tar.ended), PackageUnpacker(files: HostFileSystem(), limits: limits))
                == error(.damaged(.tooLong(limit: 4999))))
        limits = ArchiveLimits()
        // Three files before it, and the three folders that they are in.
        limits.entryCount = 6
        #expect(
            try await failure(
                gzip(tar.ended), PackageUnpacker(files: HostFileSystem(), limits: limits))
                == error(.refused(entry: "big", .tooManyEntries(limit: 6))))
    }

    @Test func `an archive cut at any block is refused`() async throws {
        let tar = TarBuilder.release { $0.addFile("big", String(repeating: "x", count: 1500)) }
        for count in stride(from: 0, through: tar.bytes.count, by: 512) {
            let error = try await failure(gzip(Array(tar.bytes.prefix(count))))
            guard error?.package == package, case .malformed(.truncated) = error?.reason else {
                Issue.record("\(count) bytes: \(String(describing: error))")
                continue
            }
        }
    }

    @Test func `a package cut at any block is refused`() async throws {
        let bytes = gzip(TarBuilder.release().ended)
        for count in stride(from: 512, to: bytes.count, by: 512) {
            #expect(
                try await failure(Array(bytes.prefix(count)))
                    == error(.damaged(.truncated)))
        }
    }

    @Test func `a changed byte in the package is noticed`() async throws {
        let bytes = gzip(TarBuilder.release().ended)
        var random = SeededRandom(seed: 2)
        for _ in 0..<100 {
            // Bytes 4 to 9 (time, flags of the compressor) and the first block's unused bits in byte
            // 10 change nothing.
            let index = Int.random(in: 11..<bytes.count, using: &random)
            var bytes = bytes
            bytes[index] ^= 1 << Int.random(in: 0..<8, using: &random)
            #expect(try await failure(bytes) != nil, "byte \(index)")
        }
    }

    @Test func `a changed archive never leads outside`() async throws {
        let tar = TarBuilder.release { tar in
            tar.addLink("lib/link", to: "../bin/app")
            tar.addHardLink("bin/hard", to: "bin/app")
            tar.addLongName(Array("long/name".utf8))
            tar.addFile("name")
        }
        var random = SeededRandom(seed: 3)
        let interesting = Array("./\u{0}1257xLKg".utf8)
        for _ in 0..<300 {
            var bytes = tar.ended
            for _ in 0...Int.random(in: 0...4, using: &random) {
                let block = Int.random(in: 0..<bytes.count / 512, using: &random) * 512
                let offset = [Int.random(in: 0..<12, using: &random), 156, 157, 158, 159]
                    .randomElement(using: &random)!
                bytes[block + offset] = interesting.randomElement(using: &random)!
                if bytes[block + 100] != 0 {
                    var header = Array(bytes[block..<block + 512])
                    TarBuilder.putChecksum(into: &header)
                    bytes.replaceSubrange(block..<block + 512, with: header)
                }
            }
            _ = try await failure(gzip(bytes))
            #expect(
                try folder.contents().allSatisfy {
                    $0 == "app-1.0.0.tar.gz" || $0.hasPrefix("service/app/1/new/")
                        || "service/app/1/new/".hasPrefix($0)
                })
            try HostFileSystem().removeTree(new)
        }
    }

    /// Whether the user may mount a file system, as root may.
    private static let canMount = geteuid() == 0 && access("/proc/self/ns/mnt", R_OK) == 0

    @Test(.enabled(if: canMount))
    func `a full disk is told with the file's name, and nothing is left`() async throws {
        let service = folder / "service"
        try makeFolders(service)
        // In a container root may be forbidden to.
        guard mount("tmpfs", service, "tmpfs", 0, "size=128k") == 0 else { return }
        defer { umount2(service, Int32(MNT_DETACH)) }
        let tar = TarBuilder.release { $0.addFile("big", String(repeating: "x", count: 200_000)) }
        #expect(
            try await failure(gzip(tar.ended))
                == error(.system(.system(SystemError("writing `big`", code: ENOSPC)))))
        #expect(try await failure(gzip(TarBuilder.release().ended)) == nil)
        #expect(try readFile(new + "/bin/app") == Array("#!/bin/sh\n".utf8))
    }

    @Test func `a cancelled task stops unpacking and leaves nothing`() async throws {
        let big = TarBuilder.release { tar in
            for index in 0..<200 {
                tar.addFile("file\(index)", String(repeating: "x", count: 9000))
            }
        }
        try writeFile(gzip(big.ended), to: package)
        let task = Task {
            try await unpackAfterCancellation()
        }
        task.cancel()
        await #expect(throws: error(.cancelled)) { try await task.value }
        #expect(try folder.contents(of: "service/app/1") == [])
    }

    func unpackAfterCancellation() async throws -> UnpackSummary {
        while !Task.isCancelled { await Task.yield() }
        return try await unpack()
    }

    @Test func `a package with another digest than the published one is refused`() async throws {
        let bytes = gzip(TarBuilder.release { _ in }.ended)
        try writeFile(bytes, to: package)
        let unpacker = PackageUnpacker(files: HostFileSystem())
        let (digest, other) = (
            Digest.text(Digest.sha256(bytes)), String(repeating: "0", count: 64)
        )
        await #expect(throws: error(.wrongDigest(expected: other, found: digest))) {
            try await unpacker.unpack(
                package, into: new, application: "app", version: "1.0.0", sha256: other)
        }
        #expect(access(folder / "service", F_OK) != 0)
        _ = try await unpacker.unpack(
            package, into: new, application: "app", version: "1.0.0", sha256: digest)
        #expect(access(new + "/bin/app", F_OK) == 0)
    }

    @Test func `a package that changes after it was checked is not unpacked`() async throws {
        let bytes = gzip(TarBuilder.release { $0.addFile("a", "good") }.ended)
        let changed = gzip(TarBuilder.release { $0.addFile("a", "evil") }.ended)
        try writeFile(bytes, to: package)
        let package = package
        let digest = Digest.text(Digest.sha256(bytes))
        // The first report comes after the first look at it, before anything is unpacked.
        let failure = await #expect(throws: UnpackError.self) {
            try await PackageUnpacker(files: HostFileSystem()).unpack(
                package, into: new, application: "app", version: "1.0.0", sha256: digest
            ) { report in
                guard report.readByteCount == 0 else { return }
                let file = open(package, O_WRONLY | O_TRUNC)
                _ = changed.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                close(file)
            }
        }
        #expect(
            failure?.reason
                == .changed)
        #expect(try folder.contents(of: "service/app/1") == [])
    }

    @Test func `progress ends with the whole package`() async throws {
        let big = TarBuilder.release { $0.addFile("big", String(repeating: "x", count: 3 << 20)) }
        let bytes = gzip(big.ended)
        try writeFile(bytes, to: package)
        let reports = Guarded<[UnpackProgress]>([])
        _ = try await PackageUnpacker(files: HostFileSystem()).unpack(
            package, into: new, application: "app", version: "1.0.0"
        ) { report in reports.withLock { $0.append(report) } }
        let all = reports.withLock { $0 }
        let count = Int64(bytes.count)
        #expect(all.first == .init(readByteCount: 0, packageByteCount: count, entryCount: 0))
        #expect(all.last == .init(readByteCount: count, packageByteCount: count, entryCount: 4))
        #expect(all.count == 5)
    }
}
