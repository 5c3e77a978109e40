import Testing
import Transport

struct DigestTests {
    /// The vectors of FIPS 180-4, RFC 1321 and RFC 7693.
    @Test(arguments: [
        (
            Digest.Algorithm.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        ),
        (.md5, "900150983cd24fb0d6963f7d28e17f72"),
        (
            .blake2b512,
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                + "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
        ),
    ]) func `a digest of bytes that come in pieces`(
        _ algorithm: Digest.Algorithm, _ expected: String
    ) {
        var digest = Digest(algorithm)
        digest.update(Array("a".utf8))
        digest.update([])
        digest.update(Array("bc".utf8))
        #expect(Digest.text(digest.value()) == expected)
    }

    /// RFC 4231, test case 2.
    @Test func `a keyed digest`() {
        let code = Digest.hmacSHA256(
            Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(
            Digest.text(code)
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(Digest.hmacSHA256([], key: []).count == 32)
    }
}
