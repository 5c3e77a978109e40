import TestKit
import Transport

@testable import Deployment

/// Keys and signatures of the tests.
enum Minisign {
    /// The text of a secret key's file with a seed of its own.
    static func secretKey(
        _ number: UInt8, id: UInt8? = nil, password: String? = nil, work: UInt64 = 1 << 15,
        memory: UInt64 = 1 << 20
    ) -> String {
        let seed = [UInt8](repeating: number, count: 32)
        var secret = [UInt8](repeating: id ?? number, count: 8) + seed
        secret += Ed25519.publicKey(ofSeed: seed) + [UInt8](repeating: 0, count: 32)
        let salt = [UInt8](repeating: 3, count: 32)
        var algorithm: [UInt8] = [0, 0]
        if let password, let scrypt = MinisignSecretKeyFile.scrypt(work: work, memory: memory) {
            algorithm = Array("Sc".utf8)
            let stream = scrypt.key(
                of: Array(password.utf8), salt: salt, byteCount: secret.count)
            secret = zip(secret, stream ?? []).map { $0 ^ $1 }
        }
        let head = Array("Ed".utf8) + algorithm + Array("B2".utf8)
        let all = head + salt + littleEndian(work) + littleEndian(memory) + secret
        return "untrusted comment: minisign encrypted secret key\n\(MinisignFile.text(all))\n"
    }

    static func littleEndian(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    static func key(_ number: UInt8, id: UInt8? = nil) throws -> MinisignSecretKey {
        try MinisignSecretKeyFile(parsing: Array(secretKey(number, id: id).utf8)).key(password: [])
    }

    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = Digest(.blake2b512)
        digest.update(bytes)
        return digest.value()
    }

    static func release(
        _ bytes: [UInt8], _ application: String = "app", _ version: String = "1.0.0",
        _ preCommands: [String] = []
    ) -> SignedRelease {
        SignedRelease(
            application: application, version: version,
            sha256: Digest.text(Digest.sha256(bytes)), preCommands: preCommands)
    }

    static func file(of keys: [MinisignPublicKey]) -> String {
        keys.map { "untrusted comment: minisign public key \($0)\n\($0.line)\n" }.joined()
    }
}
