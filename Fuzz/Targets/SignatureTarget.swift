import Transport

@testable import Deployment

/// minisign's files: what is read of them is printed as something that is read as the same, and
/// stays within its limits.
enum SignatureTarget {
    static func check(_ bytes: [UInt8]) throws {
        try checkSignature(bytes)
        if let keys = try? MinisignPublicKey.parse(bytes) {
            try require((1...MinisignPublicKey.maximumCount).contains(keys.count), "\(keys.count)")
            let lines = keys.map { $0.line + "\n" }.joined()
            try require(try MinisignPublicKey.parse(Array(lines.utf8)) == keys, "other keys")
        }
        // To derive a key takes as long as it is meant to.
        if let file = try? MinisignSecretKeyFile(parsing: bytes), !file.isEncrypted {
            _ = try? file.key(password: [])
        }
        let comment = String(decoding: bytes.prefix(4096), as: UTF8.self)
        if let release = SignedRelease(comment: comment) {
            try require(release.comment == comment, "another comment: \(release.comment)")
        }
        let numbers = bytes.prefix(16).reduce(into: [UInt64](repeating: 0, count: 2)) {
            ($0[0], $0[1]) = ($0[0] << 8 | $0[1] >> 56, $0[1] << 8 | UInt64($1))
        }
        if let scrypt = MinisignSecretKeyFile.scrypt(work: numbers[0], memory: numbers[1]) {
            try require(scrypt.memory <= 1 << 30, "\(scrypt)")
        }
    }

    private static func checkSignature(_ bytes: [UInt8]) throws {
        guard let signature = try? MinisignSignature(parsing: bytes) else { return }
        let text = Array(signature.text.utf8)
        try require(try MinisignSignature(parsing: text) == signature, "another signature")
        guard let release = SignedRelease(comment: signature.trustedComment) else { return }
        do throws(SignatureProblem) {
            try signature.checkRelease(release)
        } catch {
            throw FuzzFailure(description: "\(error)")
        }
    }
}
