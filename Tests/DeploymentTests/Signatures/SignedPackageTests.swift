import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// Packages and the signatures beside them, where public keys are configured.
struct SignedPackageTests {
    let folder = TemporaryFolder()
    let package: String
    let new: String
    let bytes = gzip(TarBuilder.release { $0.addFile("a", "good") }.ended)
    let keysFile: PublicKeysFile

    init() throws {
        package = folder / "app-1.0.0.tar.gz"
        new = folder / "service/app/1/new"
        keysFile = PublicKeysFile(folder / "keys.pub")
        try writeFile(bytes, to: package)
        try trust(1)
    }

    private var signaturePath: String { package + ".minisig" }

    private func trust(_ numbers: UInt8...) throws {
        let keys = try numbers.map { try Minisign.key($0).publicKey }
        try writeFile(Array(Minisign.file(of: keys).utf8), to: keysFile.path)
    }

    private func sign(
        by number: UInt8 = 1, _ release: SignedRelease? = nil, of bytes: [UInt8]? = nil
    ) throws {
        let bytes = bytes ?? self.bytes
        let signature = try Minisign.key(number)
            .sign(Minisign.digest(bytes), as: release ?? Minisign.release(bytes))
        try writeFile(Array(signature.text.utf8), to: signaturePath)
    }

    @discardableResult
    private func unpack(
        application: String = "app", version: String = "1.0.0", sha256: String? = nil,
        preCommands: [String] = [], progress: (@Sendable (UnpackProgress) -> Void)? = nil
    ) async throws(UnpackError) -> UnpackSummary {
        var unpacker = PackageUnpacker(files: HostFileSystem())
        unpacker.publicKeys = keysFile
        return try await unpacker.unpack(
            package, into: new, application: application, version: version, sha256: sha256,
            preCommands: preCommands, progress: progress)
    }

    /// Why it is refused, before anything is unpacked.
    private func problem(
        application: String = "app", version: String = "1.0.0", preCommands: [String] = []
    ) async throws -> SignatureProblem? {
        do throws(UnpackError) {
            _ = try await unpack(
                application: application, version: version, preCommands: preCommands)
            return nil
        } catch {
            #expect(!exists(folder / "service"))
            guard case .signature(let problem) = error.reason else { throw error }
            #expect("\(error)" == "\(package) is refused: \(problem)")
            return problem
        }
    }

    @Test func `a signed package is unpacked, and its digest is known from then on`() async throws {
        try sign()
        let digest = Digest.text(Digest.sha256(bytes))
        #expect(try await unpack().sha256 == digest)
        #expect(try readFile(new + "/a") == Array("good".utf8))
        #expect(try await unpack(sha256: digest).sha256 == digest)
    }

    @Test func `an unsigned package is refused`() async throws {
        #expect(try await problem() == .unsigned(path: signaturePath))
    }

    @Test func `a signature by another key is refused`() async throws {
        try sign(by: 2)
        #expect(
            try await problem()
                == .unknownKey(id: "0202020202020202", known: ["0101010101010101"]))
    }

    @Test func `a key that is added or removed counts at once`() async throws {
        try sign(by: 2)
        try trust(1, 2)
        try await unpack()
        Files.remove(folder / "service")
        try trust(1)
        #expect(
            try await problem()
                == .unknownKey(id: "0202020202020202", known: ["0101010101010101"]))
    }

    @Test func `changed bytes are refused`() async throws {
        try sign()
        let other = gzip(TarBuilder.release { $0.addFile("a", "evil") }.ended)
        try writeFile(other, to: package)
        #expect(try await problem() == .otherBytes(key: "0101010101010101"))
        // What follows the gzip data is signed, too.
        try writeFile(bytes + [0], to: package)
        #expect(try await problem() == .otherBytes(key: "0101010101010101"))
    }

    @Test func `the signature of another version or application is refused`() async throws {
        try sign(Minisign.release(bytes, "app", "0.9.0"))
        #expect(
            try await problem() == .otherRelease(signed: "app 0.9.0", expected: "app 1.0.0"))
        try sign(Minisign.release(bytes, "other", "1.0.0"))
        #expect(
            try await problem() == .otherRelease(signed: "other 1.0.0", expected: "app 1.0.0"))
    }

    @Test func `pre-commands that nobody has signed are refused`() async throws {
        try sign()
        #expect(
            try await problem(preCommands: ["eval Evil.run"])
                == .otherPreCommands(areSigned: false))
        try sign(Minisign.release(bytes, "app", "1.0.0", ["eval App.migrate"]))
        #expect(
            try await problem(preCommands: ["eval Evil.run"])
                == .otherPreCommands(areSigned: true))
        try await unpack(preCommands: ["eval App.migrate"])
        // None is run.
        try await unpack()
    }

    @Test func `without usable public keys nothing is unpacked`() async throws {
        try sign()
        try writeFile(Array("no key\n".utf8), to: keysFile.path)
        #expect(
            try await problem()
                == .keys(.unusable(path: keysFile.path, .noKey(line: 1))))
        unlink(keysFile.path)
        guard case .keys(.unreadable)? = try await problem() else {
            Issue.record("the missing file is not named")
            return
        }
    }

    @Test func `public keys that others can write are no keys`() async throws {
        try sign()
        try #require(chmod(keysFile.path, 0o666) == 0)
        guard case .keys(.unreadable)? = try await problem() else {
            Issue.record("the file is believed")
            return
        }
    }

    @Test func `a signature that is no small file is refused at once`() async throws {
        try makeFolders(signaturePath)
        guard case .unreadable? = try await problem() else {
            Issue.record("a folder is no signature")
            return
        }
        rmdir(signaturePath)
        try #require(mkfifo(signaturePath, 0o644) == 0)
        guard case .unreadable? = try await problem() else {
            Issue.record("a FIFO is no signature")
            return
        }
        unlink(signaturePath)
        try writeFile([UInt8](repeating: 0x41, count: 1 << 20), to: signaturePath)
        guard case .unreadable? = try await problem() else {
            Issue.record("it is too long")
            return
        }
        try writeFile(Array("hello\n".utf8), to: signaturePath)
        #expect(try await problem() == .malformed("it has 1 lines, not 4"))
    }

    @Test func `a package that changes after it was verified is not unpacked`() async throws {
        try sign()
        let (package, other) = (package, gzip(TarBuilder.release { $0.addFile("a", "evil") }.ended))
        // The first report comes after the verification, before anything is unpacked.
        let failure = await #expect(throws: UnpackError.self) {
            try await unpack { report in
                guard report.readByteCount == 0 else { return }
                let file = open(package, O_WRONLY | O_TRUNC)
                _ = other.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                close(file)
            }
        }
        #expect(failure?.reason == .changed)
        #expect(try folder.contents(of: "service/app/1") == [])
    }

    @Test func `a package that is exchanged after it was verified is the verified one`()
        async throws
    {
        try sign()
        let (package, other) = (package, folder / "other")
        try writeFile(gzip(TarBuilder.release { $0.addFile("a", "evil") }.ended), to: other)
        try await unpack { report in
            if report.readByteCount == 0 { rename(other, package) }
        }
        #expect(!exists(other))
        #expect(try readFile(new + "/a") == Array("good".utf8))
    }
}
