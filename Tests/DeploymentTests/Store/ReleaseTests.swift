import FoundationEssentials
import TestKit
import Testing

@testable import Deployment

@Suite struct ReleaseTests {
    static func parse(_ text: String) throws(ReleaseError) -> Release {
        try Release(parsing: Array(text.utf8))
    }

    static func error(_ text: String) -> ReleaseError? {
        do {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func `current.json names a version, a hash and commands`() throws {
        #expect(
            try Self.parse(#"{"version":"1.0.0","hash":"local"}"#)
                == Release(version: "1.0.0", hash: "local"))
        #expect(
            try Self.parse(
                """
                \u{FEFF}{
                  "hash": "a\\u00fc\\ud83d\\ude00\\/",
                  "other": [1, -2.5e+3, {"x": [true, false, null]}],
                  "pre_commands": ["eval A.b", "eval C.d"],
                  "version": "2.0.0-rc.1+build~3"
                }

                """)
                == Release(
                    version: "2.0.0-rc.1+build~3", hash: "aü😀/",
                    preCommands: ["eval A.b", "eval C.d"]))
        #expect(try Self.parse(#"{"version":"1"}"#) == Release(version: "1"))
        #expect(
            try Self.parse(#"{"version":"1","hash":null,"pre_commands":null}"#)
                == Release(version: "1"))
        #expect(try Self.parse(#"{"version":"1","version":"2"}"#) == Release(version: "2"))
    }

    @Test func `what is wrong is said`() {
        let cases: [(String, ReleaseError)] = [
            ("", .empty), (" \n\t\r", .empty),
            ("null", .notAnObject(found: "null")), ("true", .notAnObject(found: "a boolean")),
            ("[]", .notAnObject(found: "an array")), ("3", .notAnObject(found: "a number")),
            (#""1.0.0""#, .notAnObject(found: "a string")),
            ("1.0.0", .notJSON(offset: 3)), ("hello", .notJSON(offset: 0)),
            ("{}", .missingVersion), (#"{"hash":"local"}"#, .missingVersion),
            (#"{"version":""}"#, .emptyVersion),
            (#"{"version":1.0}"#, .wrongType(key: "version", found: "a number")),
            (#"{"version":null}"#, .wrongType(key: "version", found: "null")),
            (#"{"version":["1"]}"#, .wrongType(key: "version", found: "an array")),
            (#"{"version":"1","hash":{}}"#, .wrongType(key: "hash", found: "an object")),
            (#"{"version":"1","hash":"\n"}"#, .invalidHash),
            (
                #"{"version":"1","pre_commands":"x"}"#,
                .wrongType(key: "pre_commands", found: "a string")
            ),
            (
                #"{"version":"1","pre_commands":["x",1]}"#,
                .wrongType(key: "pre_commands", found: "an array with a number")
            ),
            (#"{"version":"1","pre_commands":[""]}"#, .invalidPreCommands),
            (#"{"version":"1","pre_commands":["a\u0000"]}"#, .invalidPreCommands),
            (#"{"version":"1","sha256":7}"#, .wrongType(key: "sha256", found: "a number")),
            (#"{"version":"1","sha256":""}"#, .invalidSHA256),
            (
                #"{"version":"1","sha256":"\#(String(repeating: "a", count: 63))g"}"#,
                .invalidSHA256
            ),
            (
                #"{"version":"1","sha256":"\#(String(repeating: "a", count: 65))"}"#,
                .invalidSHA256
            ),
            (#"{"version":"1"} x"#, .notJSON(offset: 16)),
            (#"{"version":"1",}"#, .notJSON(offset: 15)),
            (#"{'version':'1'}"#, .notJSON(offset: 1)),
            (#"{"version":"\ud800"}"#, .notJSON(offset: 18)),
            (#"{"version":"\x"}"#, .notJSON(offset: 13)),
            ("{\"version\":\"1\n\"}", .notJSON(offset: 13)),
            (#"{"version":01}"#, .notJSON(offset: 12)),
            (String(repeating: "[", count: 33), .notJSON(offset: 32)),
            (String(repeating: "[", count: 100_000), .tooLong(byteCount: 100_000)),
        ]
        for (text, error) in cases {
            #expect(Self.error(text) == error, "\(text.prefix(50))")
        }
        #expect(
            throws: ReleaseError.notJSON(offset: 11),
            performing: {
                try Release(
                    parsing: Array(#"{"version":""#.utf8) + [0xC3, 0x28] + Array("\"}".utf8))
            })
    }

    @Test func `a sha256 is taken in either case`() throws {
        let digest = String(repeating: "aB", count: 32)
        #expect(
            try Self.parse(#"{"version":"1","sha256":"\#(digest)"}"#).sha256
                == digest.lowercased())
        #expect(try Self.parse(#"{"version":"1","sha256":null}"#).sha256 == nil)
    }

    @Test func `what is written is read again`() throws {
        for release in [
            try Release(version: "1"),
            try Release(
                version: "1.0.0", hash: #"a"\é"#, preCommands: [#"eval "A.b(\"x\")""#, "eval C"],
                sha256: String(repeating: "0", count: 64)),
        ] {
            #expect(try Release(parsing: release.published) == release)
        }
    }

    @Test func `every beginning of a file is half written`() {
        let text = #"{"version":"1.0.0","hash":"\u00e9l","pre_commands":["a"],"x":-1.5e3}"#
        #expect(Self.error(text) == nil)
        for count in 1..<text.utf8.count {
            #expect(Self.error(String(text.prefix(count))) == .halfWritten, "\(count)")
        }
    }

    @Test(arguments: [
        "1.0.0", "0.1.0-rc.1+git.abc~1", "v1", "A", "1_2", "20240101",
        String(repeating: "1", count: 128),
    ])
    func `a version fit for a path is taken`(version: String) throws {
        #expect(try Self.parse(#"{"version":"\#(version)"}"#).version == version)
    }

    @Test(arguments: [
        "..", ".", "../1", "1/2", "1..2", ".1", "-1", "+1", "~1", "_1", "1 2", "1\\u0000", "1\\n",
        "1\\\\2", "é", "1*", "1;rm", "$(x)", "1\\u202e", String(repeating: "1", count: 129),
    ])
    func `a version that does not belong in a path is refused`(version: String) {
        guard case .invalidVersion(let shown) = Self.error(#"{"version":"\#(version)"}"#) else {
            Issue.record("\(version) was not refused")
            return
        }
        #expect(!shown.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E })
    }

    @Test func `no bytes trap`() {
        let text = Array(
            #"{"version":"1.0.0","hash":"\u00e9\ud83d\ude00","x":[-1.5e3,true,null,{"a":[]}]}"#.utf8
        )
        var random = SeededRandom(seed: 4)
        for _ in 0..<5000 {
            var bytes = text
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = .random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default:
                    bytes.insert(text[Int.random(in: 0..<text.count, using: &random)], at: index)
                }
            }
            if let release = try? Release(parsing: bytes) {
                #expect(Release.isVersion(release.version))
            }
        }
    }

    @Test func `a release is encoded and decoded, and checked again`() throws {
        let release = try Release(version: "1.0.0", hash: "abc", preCommands: ["eval A.b"])
        let data = try JSONEncoder().encode(release)
        #expect(try JSONDecoder().decode(Release.self, from: data) == release)
        #expect(try Release(parsing: Array(data)) == release)
        #expect(throws: ReleaseError.invalidVersion("../1")) {
            try JSONDecoder().decode(Release.self, from: Data(#"{"version":"../1"}"#.utf8))
        }
    }
}
