import Testing
import Transport

private func bytes(_ digits: String) -> [UInt8] {
    let values = digits.compactMap { $0.hexDigitValue.map(UInt8.init) }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}

struct Ed25519Tests {
    /// RFC 8032, section 7.1, tests 1 and 3.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc6"
                + "1e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae"
                + "67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]) func `the vectors of RFC 8032`(
        seed: String, key: String, message: String, signature: String
    ) {
        #expect(Ed25519.publicKey(ofSeed: bytes(seed)) == bytes(key))
        #expect(Ed25519.signature(of: bytes(message), seed: bytes(seed)) == bytes(signature))
        #expect(
            Ed25519.isSignature(bytes(signature), of: bytes(message), by: bytes(key)))
    }

    @Test func `another message, key or signature does not verify, whatever its length`() {
        let seed = [UInt8](repeating: 7, count: 32)
        let (key, message) = (Ed25519.publicKey(ofSeed: seed), Array("message".utf8))
        let signature = Ed25519.signature(of: message, seed: seed)
        for index in signature.indices {
            var other = signature
            other[index] ^= 1
            #expect(!Ed25519.isSignature(other, of: message, by: key))
        }
        #expect(!Ed25519.isSignature(signature, of: message + [0], by: key))
        #expect(!Ed25519.isSignature(signature, of: [], by: key))
        #expect(!Ed25519.isSignature(signature, of: message, by: key.reversed()))
        for length in [0, 1, 31, 33, 63, 65] {
            let short = [UInt8](repeating: 1, count: length)
            #expect(!Ed25519.isSignature(short, of: message, by: key))
            #expect(!Ed25519.isSignature(signature, of: message, by: short))
        }
    }
}

struct ScryptTests {
    /// RFC 7914, section 12, the second vector.
    @Test func `the vector of RFC 7914`() {
        let scrypt = Scrypt(exponent: 10, blockSize: 8, parallelization: 16)
        #expect(
            scrypt.key(of: Array("password".utf8), salt: Array("NaCl".utf8), byteCount: 64)
                == bytes(
                    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a388"
                        + "6ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"))
    }

    @Test func `numbers that scrypt does not have give no key`() {
        #expect(
            Scrypt(exponent: 0, blockSize: 8, parallelization: 1)
                .key(of: [], salt: [], byteCount: 32) == nil)
        #expect(
            Scrypt(exponent: 1, blockSize: 8, parallelization: 1 << 20)
                .key(of: [], salt: [], byteCount: 32) == nil)
    }
}
