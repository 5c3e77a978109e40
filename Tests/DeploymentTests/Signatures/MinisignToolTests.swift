import Glibc
import Supervisor
import TestKit
import Testing

@testable import Deployment

/// The real minisign verifies what we sign, and we what it signs.
struct MinisignToolTests {
    let folder = TemporaryFolder()
    let package: String
    let bytes: [UInt8]

    init() throws {
        package = folder / "app-1.0.0.tar.gz"
        bytes = gzip(TarBuilder.release().ended)
        try writeFile(bytes, to: package)
    }

    /// - Parameter password: without it, the key has none.
    private func makeKey(_ name: String, password: String? = nil) throws {
        let files = ["-p", folder / "\(name).pub", "-s", folder / "\(name).key"]
        if let password {
            try minisign(["-G"] + files, typing: "\(password)\n\(password)\n")
        } else {
            try minisign(["-G", "-W"] + files)
        }
    }

    private func minisign(_ arguments: [String], typing input: String = "") throws {
        let child = try ChildProcess("minisign", arguments, input: .pipe, output: .pipe)
        try child.write(input)
        child.closeInput()
        let result = try child.wait(within: .seconds(600))
        guard result.status == 0 else { throw TestFailure("minisign: \(result)") }
    }

    private func publicKeys(_ names: String...) throws -> [MinisignPublicKey] {
        try MinisignPublicKey.parse(names.flatMap { try readFile(folder / "\($0).pub") })
    }

    private func secretKey(_ name: String, password: String = "") throws -> MinisignSecretKey {
        try MinisignSecretKeyFile(parsing: readFile(folder / "\(name).key"))
            .key(password: Array(password.utf8))
    }

    private func expectBothVerify(_ key: MinisignSecretKey, _ name: String) throws {
        #expect(try publicKeys(name) == [key.publicKey])
        let signature = key.sign(Minisign.digest(bytes), as: Minisign.release(bytes))
        try writeFile(Array(signature.text.utf8), to: package + ".minisig")
        // -H refuses signatures that are not prehashed.
        try minisign(["-V", "-H", "-m", package, "-p", folder / "\(name).pub"])
    }

    @Test func `minisign verifies our signature`() throws {
        try makeKey("key")
        try expectBothVerify(secretKey("key"), "key")
        try writeFile(bytes + [0], to: package)
        #expect(throws: TestFailure.self) {
            try minisign(["-V", "-m", package, "-p", folder / "key.pub"])
        }
    }

    /// It takes a gigabyte and seconds, as minisign itself does.
    @Test func `a key with a password signs`() throws {
        try makeKey("key", password: "päss word")
        #expect(throws: SecretKeyError.wrongPassword) {
            try secretKey("key", password: "pass word")
        }
        try expectBothVerify(secretKey("key", password: "päss word"), "key")
    }

    @Test func `we verify the signature of minisign`() throws {
        try makeKey("key")
        try makeKey("other")
        let release = Minisign.release(bytes)
        let comment = ["-t", release.comment, "-c", "a comment of its own"]
        try minisign(["-S", "-m", package, "-s", folder / "key.key"] + comment)
        let signature = try MinisignSignature(parsing: readFile(package + ".minisig"))
        #expect(signature.untrustedComment == "a comment of its own")
        try signature.verify(
            Minisign.digest(bytes), as: release, by: publicKeys("other", "key"))
        let known = try publicKeys("other")
        #expect(
            throws: SignatureProblem.unknownKey(
                id: "\(try publicKeys("key")[0])", known: ["\(known[0])"])
        ) {
            try signature.verify(Minisign.digest(bytes), as: release, by: known)
        }
        #expect(try MinisignSignature(parsing: Array(signature.text.utf8)) == signature)
    }

    @Test func `minisign's own comment names no release, and -l makes a legacy signature`() throws {
        try makeKey("key")
        try minisign(["-S", "-m", package, "-s", folder / "key.key"])
        let signature = try MinisignSignature(parsing: readFile(package + ".minisig"))
        let failure = #expect(throws: SignatureProblem.self) {
            try signature.verify(
                Minisign.digest(bytes), as: Minisign.release(bytes), by: publicKeys("key"))
        }
        #expect(failure == .noRelease(comment: signature.trustedComment))
        try minisign(["-S", "-l", "-m", package, "-s", folder / "key.key"])
        #expect(throws: SignatureProblem.legacy) {
            try MinisignSignature(parsing: readFile(package + ".minisig"))
        }
    }
}
