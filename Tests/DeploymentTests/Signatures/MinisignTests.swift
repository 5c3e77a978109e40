import TestKit
import Testing
import Transport

@testable import Deployment

struct MinisignSignatureTests {
    private let bytes = Array("the package".utf8)

    private func signature(
        _ number: UInt8 = 1, as release: SignedRelease? = nil
    ) throws -> MinisignSignature {
        try Minisign.key(number)
            .sign(Minisign.digest(bytes), as: release ?? Minisign.release(bytes))
    }

    private func problem(
        _ signature: MinisignSignature, of bytes: [UInt8]? = nil, as release: SignedRelease? = nil,
        by keys: [MinisignPublicKey]? = nil
    ) throws -> SignatureProblem? {
        let own = [try Minisign.key(1).publicKey]
        let bytes = bytes ?? self.bytes
        do throws(SignatureProblem) {
            try signature.verify(
                Minisign.digest(bytes), as: release ?? Minisign.release(self.bytes),
                by: keys ?? own)
            return nil
        } catch {
            return error
        }
    }

    @Test func `what is signed verifies, and is read as it was printed`() throws {
        let signature = try signature()
        #expect(try problem(signature) == nil)
        let text = signature.text
        #expect(try MinisignSignature(parsing: Array(text.utf8)) == signature)
        let others = [text.replacing("\n", with: "\r\n"), String(text.dropLast())]
        for other in others {
            #expect(try MinisignSignature(parsing: Array(other.utf8)) == signature)
        }
    }

    @Test func `any of several keys may have signed it, and no other`() throws {
        let keys = try [UInt8(2), 1, 3].map { try Minisign.key($0).publicKey }
        #expect(try problem(signature(), by: keys) == nil)
        #expect(
            try problem(signature(4), by: keys)
                == .unknownKey(
                    id: "0404040404040404",
                    known: ["0202020202020202", "0101010101010101", "0303030303030303"]))
        #expect(try problem(signature(), by: []) == .unknownKey(id: "0101010101010101", known: []))
    }

    @Test func `a key with the number of another is another key`() throws {
        let imposter = try Minisign.key(9, id: 1)
        let forged = imposter.sign(Minisign.digest(bytes), as: Minisign.release(bytes))
        #expect(try problem(forged) == .otherBytes(key: "0101010101010101"))
        // Both may have the number by chance.
        let both = [try Minisign.key(1).publicKey, imposter.publicKey]
        #expect(try problem(forged, by: both) == nil)
        #expect(try problem(signature(), by: both) == nil)
        // Neither may sign the comment of the other.
        var mixed = forged
        mixed.signature = try signature().signature
        #expect(try problem(mixed, by: both) == .otherComment(key: "0101010101010101"))
    }

    @Test func `other bytes are refused`() throws {
        #expect(try problem(signature(), of: [1]) == .otherBytes(key: "0101010101010101"))
    }

    @Test func `another comment than the signed one is refused`() throws {
        var signature = try signature()
        signature.trustedComment = Minisign.release(bytes, "app", "2.0.0").comment
        #expect(
            try problem(signature, as: Minisign.release(bytes, "app", "2.0.0"))
                == .otherComment(key: "0101010101010101"))
    }

    @Test func `the signature of another release is refused`() throws {
        #expect(
            try problem(signature(), as: Minisign.release(bytes, "app", "1.0.1"))
                == .otherRelease(signed: "app 1.0.0", expected: "app 1.0.1"))
        #expect(
            try problem(signature(), as: Minisign.release(bytes, "other"))
                == .otherRelease(signed: "app 1.0.0", expected: "other 1.0.0"))
        let (here, there) = (Minisign.release(bytes), Minisign.release([]))
        #expect(
            try problem(signature(as: there))
                == .otherDigest(signed: there.sha256, found: here.sha256))
    }

    @Test func `pre-commands are those that are signed`() throws {
        let signed = Minisign.release(bytes, "app", "1.0.0", ["eval A.migrate", "eval B.x"])
        #expect(try problem(signature(as: signed), as: signed) == nil)
        #expect(try problem(signature(as: signed)) == .otherPreCommands(areSigned: true))
        #expect(try problem(signature(), as: signed) == .otherPreCommands(areSigned: false))
        let other = Minisign.release(bytes, "app", "1.0.0", ["eval A.migrate eval B.x"])
        #expect(try problem(signature(as: signed), as: other) == .otherPreCommands(areSigned: true))
        // As `printf '%s\n' "eval A.migrate" "eval B.x" | sha256sum` prints it.
        #expect(
            signed.preCommands
                == "eda9bd93005a5c82e431d3d1c58e77a21752c9ae7bf7dff3948421bbd4116a6e")
    }

    @Test func `a legacy signature is refused by its name`() throws {
        // `minisign -S -l`
        let text = """
            untrusted comment: signature from minisign secret key
            RWTCKTJoTpgdyhjOrjYek/phmCKh/A1uqzlP/6K8rHSFR/7mN0IMPNwxt+6z4iWCB15CHm9JviVBOjJOBKCFHPmIR3JqEVbd+gQ=
            trusted comment: timestamp:1796026129\tfile:pkg
            Rb/H6S0pEPKN5/3+AG/42Y9gJXnQH8sLHTUFrRsdBjuZnOpjvwomJ4VIbdDvNWh81OAcE4qOVQIZy/tiz67xAA==

            """
        #expect(throws: SignatureProblem.legacy) {
            try MinisignSignature(parsing: Array(text.utf8))
        }
        #expect("\(SignatureProblem.legacy)".contains("legacy"))
    }

    @Test func `what is no signature is refused, and says what is wrong`() throws {
        let text = try signature().text
        let lines = text.split(separator: "\n").map(String.init)
        func reason(_ text: String) -> String? {
            do throws(SignatureProblem) {
                _ = try MinisignSignature(parsing: Array(text.utf8))
                return nil
            } catch {
                guard case .malformed(let reason) = error else { return "\(error)" }
                return reason
            }
        }
        func reason(_ index: Int, _ line: String) -> String? {
            var lines = lines
            lines[index] = line
            return reason(lines.joined(separator: "\n"))
        }
        #expect(reason("") == "it has 0 lines, not 4")
        #expect(reason(text + "more\n") == "it has 5 lines, not 4")
        #expect(reason(lines[0..<3].joined(separator: "\n")) == "it has 3 lines, not 4")
        #expect(reason(0, "comment: x") == "line 1 is no untrusted comment")
        #expect(reason(1, "") == "line 2 is no signature")
        #expect(reason(1, String(lines[1].dropLast(4))) == "line 2 is no signature")
        #expect(reason(1, " " + lines[1]) == "line 2 is no signature")
        // "=" leaves two bits free, which must be zero: there is one way to write a signature.
        #expect(reason(1, lines[1].dropLast(2) + "p=") == "line 2 is no signature")
        #expect(reason(1, "QUJD" + lines[1].dropFirst(4)) == "its algorithm is unknown")
        #expect(reason(2, "untrusted comment: x") == "line 3 is no trusted comment")
        #expect(reason(3, lines[1]) == "line 4 is no signature")
        #expect(reason(2, lines[2] + "\u{1B}[2J") == "it is no text")
        #expect(reason(2, lines[2] + "\0") == "it is no text")
        #expect(reason(2, lines[2] + "\u{9B}") == "it is no text")
        let long = String(repeating: "x", count: 16 << 10)
        #expect(reason(0, lines[0] + long) == "it has more than 16384 bytes")
        #expect(throws: SignatureProblem.malformed("it is no text")) {
            try MinisignSignature(parsing: Array(text.utf8) + [0xFF])
        }
    }

    @Test func `no change of one byte is accepted, but of what nobody signs`() throws {
        let signature = try signature()
        let text = Array(signature.text.utf8)
        let end = try #require(text.firstIndex(of: 0x0A))
        for index in text.indices where index > end {
            for byte: UInt8 in [0, 0x0A, 0x20, 0x41, 0xFF, text[index] ^ 1, text[index] ^ 0x20] {
                var other = text
                other[index] = byte
                guard other != text else { continue }
                let changed = try? MinisignSignature(parsing: other)
                // The end of the file may be missing.
                guard let changed, changed != signature else { continue }
                #expect(try problem(changed) != nil, "\(index): \(byte)")
            }
        }
        for count in text.indices {
            let cut = try? MinisignSignature(parsing: Array(text[..<count]))
            #expect(cut == nil || count == text.count - 1)
        }
    }
}

struct SignedReleaseTests {
    private let digest = String(repeating: "0a", count: 32)

    @Test func `a comment is read as it was written`() throws {
        for commands in [[], ["eval A"]] {
            let release = SignedRelease(
                application: "my_app2", version: "1.0.0-rc.1+b", sha256: digest,
                preCommands: commands)
            #expect(SignedRelease(comment: release.comment) == release)
        }
        let plain = SignedRelease(application: "a", version: "1", sha256: digest)
        #expect(plain.comment == "app:a version:1 sha256:\(digest)")
    }

    @Test(arguments: [
        "", "app:a version:1", "app:a  version:1 sha256:D", "version:1 app:a sha256:D",
        "app:a version:1 sha256:D ", " app:a version:1 sha256:D", "app:a version:1 sha256:D x:y",
        "app:a version:1 sha256:D pre_commands:", "app: version:1 sha256:D",
        "app:a version: sha256:D", "app:a version:../1 sha256:D", "app:a-1 version:1 sha256:D",
        "app:a version:1 sha256:U", "app:a version:1 sha256:00", "app:ä version:1 sha256:D",
        "app:a version:1 sha256:D pre_commands:D pre_commands:D", "timestamp:1\tfile:a.tar.gz",
        "APP:a version:1 sha256:D", "app:a\u{A0}version:1 sha256:D", "app:a version:1\tsha256:D",
    ]) func `another comment names no release`(_ comment: String) {
        let text = comment.replacing("U", with: digest.uppercased()).replacing("D", with: digest)
        #expect(SignedRelease(comment: text) == nil)
    }
}

struct MinisignPublicKeyTests {
    /// What `minisign -G` has written.
    private let file = """
        untrusted comment: minisign public key CA1D984E683229C2
        RWTCKTJoTpgdyiRMozP6GDhhHynWiUICwnMxomUqYBHRF02o8KBYHMvd

        """

    private func keys(_ text: String) throws(PublicKeysError) -> [MinisignPublicKey] {
        try MinisignPublicKey.parse(Array(text.utf8))
    }

    @Test func `the file of minisign, its line alone, and several`() throws {
        let key = try #require(try keys(file).first)
        #expect("\(key)" == "CA1D984E683229C2")
        #expect(try keys(key.line) == [key])
        let other = try Minisign.key(1).publicKey
        #expect(try keys(file + "\n" + other.line + "\r\n\n" + file) == [key, other])
        #expect(MinisignPublicKey(key.line) == key)
    }

    @Test func `what is no public key is refused with its line`() throws {
        #expect(throws: PublicKeysError.empty) { try keys("") }
        #expect(throws: PublicKeysError.empty) { try keys("untrusted comment: x\n\n") }
        #expect(throws: PublicKeysError.noText) {
            try MinisignPublicKey.parse([0xFF, 0xFE, 0x0A])
        }
        #expect(throws: PublicKeysError.noKey(line: 3)) { try keys(file + "RWTCKTJoTpgd\n") }
        #expect(throws: PublicKeysError.noKey(line: 1)) { try keys("# key\n" + file) }
        #expect(throws: PublicKeysError.secretKey(line: 4)) {
            try keys(file + Minisign.secretKey(1))
        }
        let line = try Minisign.key(1).publicKey.line
        #expect(MinisignPublicKey("QUFB" + line.dropFirst(4)) == nil)
        let many = try (1...65).map { try Minisign.key($0).publicKey }
        #expect(try keys(Minisign.file(of: Array(many.dropLast()))).count == 64)
        #expect(throws: PublicKeysError.tooMany) { try keys(Minisign.file(of: many)) }
    }
}

struct MinisignSecretKeyTests {
    private func file(_ text: String) throws(SecretKeyError) -> MinisignSecretKeyFile {
        try MinisignSecretKeyFile(parsing: Array(text.utf8))
    }

    @Test func `a password opens its key, and no other does`() throws {
        let file = try file(Minisign.secretKey(5, password: "sesame"))
        #expect(file.isEncrypted)
        #expect(try file.key(password: Array("sesame".utf8)).publicKey == Minisign.key(5).publicKey)
        for other in ["", "sesame ", "Sesame"] {
            #expect(throws: SecretKeyError.wrongPassword) {
                try file.key(password: Array(other.utf8))
            }
        }
    }

    @Test func `a key does not show itself`() throws {
        #expect("\(try Minisign.key(5))" == "0505050505050505")
    }

    @Test func `what is no secret key is refused by its name`() throws {
        let text = Minisign.secretKey(5)
        #expect(throws: SecretKeyError.noKey) { try file("") }
        #expect(throws: SecretKeyError.noKey) { try file("untrusted comment: x\nRWQ=\n") }
        #expect(throws: SecretKeyError.noKey) { try file(text + text) }
        #expect(throws: SecretKeyError.noKey) {
            try MinisignSecretKeyFile(parsing: Array(repeating: 0xFF, count: 5000))
        }
        let publicKey = try Minisign.key(5).publicKey
        #expect(throws: SecretKeyError.publicKey) { try file(Minisign.file(of: [publicKey])) }
        #expect(throws: SecretKeyError.publicKey) { try file(publicKey.line) }
        var bytes = try #require(
            MinisignFile.bytes(String(text.split(separator: "\n")[1]), count: 158))
        bytes[2] = 0x41
        #expect(throws: SecretKeyError.unknownAlgorithm) {
            try file("untrusted comment: x\n" + MinisignFile.text(bytes))
        }
        bytes[2] = 0
        bytes[80] ^= 1
        #expect(throws: SecretKeyError.damaged) {
            try file("untrusted comment: x\n" + MinisignFile.text(bytes)).key(password: [])
        }
    }

    /// libsodium's pickparams(), for the limits of minisign, of rsign, and at the edges.
    @Test func `the work of a password is what libsodium makes of its limits`() {
        func numbers(_ work: UInt64, _ memory: UInt64) -> [Int]? {
            MinisignSecretKeyFile.scrypt(work: work, memory: memory).map {
                [$0.exponent, $0.blockSize, $0.parallelization]
            }
        }
        #expect(numbers(33_554_432, 1_073_741_824) == [20, 8, 1])
        #expect(numbers(1_048_576, 33_554_432) == [15, 8, 1])
        #expect(numbers(524_288, 16_777_216) == [14, 8, 1])
        #expect(numbers(32_768, 1 << 30) == [10, 8, 1])
        #expect(numbers(0, 0) == [1, 8, 512])
        #expect(numbers(1 << 26, 1 << 30) == [20, 8, 2])
        #expect(numbers(1 << 26 + 1, 1 << 20) == nil)
        #expect(numbers(1 << 20, 1 << 30 + 1) == nil)
        #expect(numbers(.max, .max) == nil)
    }

    @Test func `limits that would be an attack are refused before any work`() {
        for (work, memory) in [(UInt64.max, UInt64(0)), (1 << 40, 1 << 20), (1 << 25, 1 << 31)] {
            let text = Minisign.secretKey(5, password: "x", work: work, memory: memory)
                .split(separator: "\n")[1]
            var bytes = MinisignFile.bytes(String(text), count: 158) ?? []
            bytes.replaceSubrange(2..<4, with: Array("Sc".utf8))
            #expect(throws: SecretKeyError.tooCostly) {
                try file("untrusted comment: x\n" + MinisignFile.text(bytes))
            }
        }
    }
}
