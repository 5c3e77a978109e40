import Foundation
import TestKit
import Testing
import Transport

@testable import AWS

/// AWS's shared files, and the words of a command.
@Suite(.timeLimit(.minutes(2))) struct CredentialsFileTests {
    private func file(_ text: String) throws -> SharedConfigFile {
        try SharedConfigFile(Array(text.utf8))
    }

    @Test func `sections hold keys and values`() throws {
        let text = """
            # a comment
            [default]
            aws_access_key_id = AKID
            AWS_Secret_Access_Key=a=b:c # not a comment
            ; another
            [profile x]  # whatever
            region : eu-west-1
            empty =

            [default]
            region = us-east-1
            """
        #expect(
            try file(text).sections == [
                "default": [
                    "aws_access_key_id": "AKID",
                    "aws_secret_access_key": "a=b:c # not a comment", "region": "us-east-1",
                ], "profile x": ["region": "eu-west-1", "empty": ""],
            ])
        let windows = text.split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: "\r\n")
        #expect(try file(windows) == file(text))
        #expect(try SharedConfigFile([0xEF, 0xBB, 0xBF] + Array(text.utf8)) == file(text))
    }

    @Test func `an indented line goes on with the value`() throws {
        let text = """
            [default]
            s3 =
                max_queue_size = 5
              # a comment
                aws_secret_access_key = no
            region = eu
            """
        #expect(
            try file(text).sections == [
                "default": [
                    "s3": "\nmax_queue_size = 5\naws_secret_access_key = no", "region": "eu",
                ]
            ])
        #expect(try file("  [a]\n  b = c\n  d = e").sections == ["a": ["b": "c", "d": "e"]])
    }

    @Test(arguments: [
        ("a = b", SharedConfigFile.Problem.noSection(line: 1)),
        ("\n[default", .unfinishedSection(line: 2)), ("[]", .unfinishedSection(line: 1)),
        ("[", .unfinishedSection(line: 1)), ("[a]\nsecret", .noValue(line: 2)),
        ("[a]\n= b", .noValue(line: 2)), ("[a]\n:", .noValue(line: 2)),
        ("  indented", .noSection(line: 1)),
    ])
    func `nonsense is named by its line, and not shown`(
        text: String, problem: SharedConfigFile.Problem
    ) {
        #expect(throws: problem) { try file(text) }
        #expect(!"\(problem)".contains("secret"))
    }

    @Test func `bytes that are no text are refused`() {
        #expect(throws: SharedConfigFile.Problem.notUTF8) {
            try SharedConfigFile(Array("[a]\nb = ".utf8) + [0xFF])
        }
    }

    @Test func `random bytes never trap`() throws {
        var random = SeededRandom(seed: 7)
        let alphabet = Array("[]=: \t\r\n#;ab\"'\\".utf8) + [0xC3, 0xA9, 0]
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            _ = try? SharedConfigFile(bytes)
            _ = try? CommandWords.split(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `the largest files are read whole`() throws {
        let limit = SharedConfigFile.byteLimit
        let lines = "[a]\nk = v\n" + String(repeating: " v\n", count: limit / 3 - 10)
        #expect(try file(lines).sections["a"]?["k"]?.utf8.count == 1 + 2 * (limit / 3 - 10))
        let sections = (0..<20_000).map { "[s\($0)]\nk=\($0)" }.joined(separator: "\n")
        #expect(try file(sections).sections.count == 20_000)
        let word = String(repeating: "x", count: limit)
        #expect(try CommandWords.split("'\(word)' y") == [word, "y"])
    }

    /// Python's configparser, as botocore uses it, on random files. What it refuses is left out: it
    /// refuses some that we merge, as AWS's other tools do.
    @Test func `random files say what they say to botocore`() async throws {
        var random = SeededRandom(seed: 11)
        let lines = [
            "[default]", "[profile a]", "[profile \"b c\"]", "[x] y", "a = 1", "  a = 2", "B: 3",
            "b=4 ; no", "    deeper = 5", "# c", "   ; d", "", "e =", "\tf = 6", " g", "h",
        ]
        let texts = (0..<3_000).map { _ in
            (0..<Int.random(in: 1...9, using: &random)).map { _ in
                lines[Int.random(in: 0..<lines.count, using: &random)]
            }.joined(separator: "\n")
        }
        // Empty lines within values differ in line ends only.
        let script = """
            import configparser, json, sys
            out = []
            for text in json.load(open(sys.argv[1])):
                c = configparser.RawConfigParser()
                try:
                    c.read_string(text)
                    out.append({s: {k: "\\n".join(l for i, l in enumerate(v.split("\\n"))
                        if l or not i) for k, v in c.items(s)} for s in c.sections()})
                except Exception:
                    out.append(None)
            print(json.dumps(out))
            """
        let found: [[String: [String: String]]?] = try await python(script, texts)
        var compared = 0
        for (text, theirs) in zip(texts, found) {
            guard let theirs else { continue }
            compared += 1
            #expect(try file(text).sections == theirs, "\(text)")
        }
        #expect(compared > 200)
    }

    @Test func `random commands have the words of Python's shlex`() async throws {
        var random = SeededRandom(seed: 13)
        let alphabet = Array("ab\"'\\ \t\n$é")
        let texts = (0..<3_000).map { _ in
            String(
                (0..<Int.random(in: 0...14, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                })
        }
        let script = """
            import json, shlex, sys
            def words(text):
                try: return shlex.split(text)
                except ValueError: return None
            print(json.dumps([words(t) for t in json.load(open(sys.argv[1]))]))
            """
        let found: [[String]?] = try await python(script, texts)
        for (text, theirs) in zip(texts, found) {
            #expect((try? CommandWords.split(text)) == theirs, "\(text)")
        }
    }

    private func python<Answer: Decodable>(
        _ script: String, _ texts: [String]
    ) async throws -> Answer {
        let folder = TemporaryFolder("python")
        try JSONEncoder().encode(texts).write(to: URL(fileURLWithPath: folder("texts")))
        let printed = try await offload {
            try ChildProcess.run("python3", ["-c", script, folder("texts")], errors: .inherited)
        }
        return try JSONDecoder().decode(Answer.self, from: Data(printed.utf8))
    }

    @Test func `profiles of both files are one, and the credentials file comes first`() throws {
        let profiles = SharedProfiles(
            config: try file(
                """
                [default]
                region = a
                [profile x]
                region = b
                role_arn = r
                [profile "with blank"]
                region = c
                [profile default]
                region = d
                [profile]
                [profilex]
                [y]
                region = e
                [sso-session s]
                """),
            credentials: try file("[x]\nrole_arn = other\n[z]\nk = v"))
        #expect(profiles["x"] == ["region": "b", "role_arn": "other"])
        #expect(profiles["with blank"] == ["region": "c"])
        #expect(profiles["default"] == ["region": "d"])
        #expect(profiles["z"] == ["k": "v"])
        #expect(profiles["y"] == nil && profiles["profilex"] == nil && profiles["s"] == nil)
    }
}
