import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

@Suite struct GroupLeaderTests {
    /// The replies to requests, and what was printed.
    private func answers(_ requests: [Term], limit: Int = 1000) -> (replies: [Term], text: String) {
        let printed = Guarded("")
        var leader = GroupLeader(maximumByteCount: limit) { text in printed.withLock { $0 += text }
        }
        let replies = requests.map { leader.answer($0) }
        return (replies, printed.withLock { $0 })
    }

    private func atoms(_ names: String...) -> [Term] { names.map { .atom(Atom(shortEnough: $0)) } }

    @Test func `characters are printed in their encoding`() {
        let (replies, text) = answers([
            .tuple(atoms("put_chars", "unicode") + [.binary("λ\n")]),
            .tuple(atoms("put_chars", "latin1") + [.binary([0xFC])]),
            .tuple(atoms("put_chars") + [[97, [98, .binary("c")]]]),
            .tuple(atoms("put_chars", "unicode", "io_lib", "nl") + [[]]),
            .tuple(
                atoms("put_chars", "unicode", "io_lib", "format") + [
                    [
                        .charlist("~ts!~n"), [.binary("ö")],
                    ]
                ]),
        ])
        #expect(replies == [Term](repeating: .atom(.ok), count: 5))
        #expect(text == "λ\nüabc\nö!\n")
    }

    @Test(arguments: ["abcdefgh", "éééé", "aλbλcλ", "€€€", "a€b€", "😀😀", "ab😀"])
    func `the limit cuts between characters`(end: String) {
        // A format is cut at the limit too.
        let whole = String(repeating: "x", count: 20) + end
        for limit in 20..<whole.utf8.count {
            let requests: [Term] = [
                .tuple(atoms("put_chars", "unicode") + [.binary(whole)]),
                .tuple(
                    atoms("put_chars", "unicode", "io_lib", "format") + [
                        [.charlist("~ts"), [.binary(whole)]]
                    ]),
            ]
            let part = whole.unicodeScalars.indices.map { whole[..<$0] }
                .last { $0.utf8.count <= limit }
            for request in requests {
                let text = answers([request], limit: limit).text
                #expect(text == "\(part ?? "")\n[the rest is left out]\n", "\(limit)")
            }
        }
    }

    @Test func `several requests are answered as the last one`() {
        let (replies, text) = answers([
            .tuple([
                .atom("requests"),
                [
                    .tuple(atoms("put_chars", "unicode") + [.binary("a")]),
                    .tuple(atoms("put_chars", "unicode") + [.binary("b")]),
                ],
            ])
        ])
        #expect(replies == [.atom(.ok)])
        #expect(text == "ab")
    }

    @Test func `there is nothing to read`() {
        let (replies, _) = answers([
            .tuple(atoms("get_line", "unicode") + [.charlist("> ")]),
            .tuple(atoms("get_chars", "unicode") + [[], 5]),
            .tuple(atoms("get_until", "unicode") + [[], .atom("io_lib"), .atom("fread"), []]),
        ])
        #expect(replies == [Term](repeating: .atom("eof"), count: 3))
    }

    @Test func `options are told and taken, the rest is an error`() {
        let error = Term.tuple(atoms("error", "request"))
        let (replies, text) = answers([
            .atom("getopts"), .tuple([.atom("setopts"), []]), .atom("nonsense"),
            .tuple(atoms("put_chars", "unicode", "os", "cmd") + [[.charlist("ls")]]),
            .tuple(atoms("put_chars", "unicode") + [.atom("no_text")]),
            .tuple([]), 7,
        ])
        #expect(
            replies == [
                [
                    .tuple(atoms("binary", "false")), .tuple(atoms("encoding", "unicode")),
                ],
                .atom(.ok), error, error,
                .tuple(atoms("error", "put_chars")), error, error,
            ])
        #expect(text.isEmpty)
    }

    @Test func `a function that prints without end is cut off, not stopped`() {
        let request = Term.tuple(atoms("put_chars", "unicode") + [.binary("12345678")])
        let (replies, text) = answers([request, request, request], limit: 12)
        #expect(replies == [Term](repeating: .atom(.ok), count: 3))
        #expect(text == "123456781234\n[the rest is left out]\n")
    }

    @Test func `what was sent does not come back, and no more is made of it than is shown`() {
        let large = Term.binary([UInt8](repeating: 0xFF, count: 8 << 20))
        let format = Term.binary([UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20))
        let number = Term(
            BigInteger(
                isNegative: false,
                littleEndianMagnitude: [UInt8](repeating: 0xFF, count: 8 << 20)))
        let io = atoms("put_chars", "unicode", "io_lib", "format")
        let requests: [Term] = [
            .tuple(atoms("put_chars", "unicode") + [large]),
            .tuple([.atom("put_chars"), large, [large, .atom("no_text")]]),
            .tuple(io + [[format, []]]),
            .tuple(io + [[.binary("~p ~s ~w"), [large, large, large]]]),
            .tuple(io + [[.binary("~w ~p ~b"), [number, number, number]]]),
            .tuple(io + [[.binary("~5w~5w~5w~5w"), [large, large, large, large]]]),
        ]
        for request in requests {
            let time = ThreadTime()
            let (replies, text) = answers([request, request], limit: 16 << 20)
            #expect(time.used < .seconds(5), "\(request.brief)")
            #expect(text.utf8.count < 3 * GroupLeader.maximumCharactersByteCount)
            for reply in replies { #expect(reply.isShort(maximumByteCount: 100)) }
        }
    }

    @Test func `a list of requests is not without end`() {
        let many = Term.list([Term](repeating: .atom("getopts"), count: 65))
        #expect(
            answers([.tuple([.atom("requests"), many])]).replies
                == [.tuple(atoms("error", "request"))])
    }
}

@Suite struct FormattedOutputTests {
    private typealias Row = (format: String, arguments: [Term], text: String)

    private static let table: [Row] = {
        var rows: [Row] = []
        func add(_ format: String, _ arguments: [Term], _ text: String) {
            rows.append((format, arguments, text))
        }
        add("plain", [], "plain")
        add("~s ~ts", [.charlist("a"), .binary("ü")], "a ü")
        add(
            "~s|~10s|~-6s|", [.atom("x"), .charlist("abc"), .charlist("ab")], "x|       abc|ab    |"
        )
        add("~.2s", [.charlist("abcdef")], "ab")
        add("~w ~p", [[104, 105], [104, 105]], "[104,105] \"hi\"")
        add("~w", [.binary("hi")], "<<104,105>>")
        add("~tp ~tw", [.tuple([.atom("a"), 1]), .atom("Up")], "{a,1} 'Up'")
        add("~b ~B ~.16b ~.16B", [10, -10, 255, 255], "10 -10 ff FF")
        add("~4b|~-4b|~4..0b", [7, 7, 7], "   7|7   |0007")
        add("~c~3c", [97, 98], "abbb")
        add("~~ ~n", [], "~ \n")
        add("~2n", [], "\n\n")
        add("~.2f ~f", [3.14159, 1.0], "3.14 1.000000")
        add(
            "~e ~.3e ~g ~g ~.3g", [1.5, 12345.678, 1.5, 1.0e20, 0.1],
            "1.50000e+0 1.23e+4 1.50000 1.00000e+20 0.100")
        add("~3b ~5s|~2w", [12345, .charlist("abcdefgh"), .atom("hello")], "*** abcde|**")
        add("~10.3.xs|", [.charlist("abcdefgh")], "xxxxxxxabc|")
        add("~i~w", [1, 2], "2")
        add("~*b", [5, 42], "   42")
        add("~16#", [31], "           10#31")
        add("~.16#", [31], "16#1F")
        add("~P", [.tuple([1, 2]), 9], "{1,2}")
        add("~.16x", [31, .charlist("0x")], "0x1f")
        return rows
    }()

    @Test func `control sequences are replaced as in Erlang`() {
        for row in Self.table {
            #expect(FormattedOutput.formatted(row.format, row.arguments) == row.text)
        }
    }

    @Test func `what does not fit is shown as it came`() {
        for (format, arguments) in [
            ("~s", []), ("x", [1]), ("~b", [.atom("a")]), ("~q", [1]),
            ("~99999999999s", [.binary("")]),
            ("~", []), ("~.", [1]),
        ] as [(String, [Term])] {
            #expect(FormattedOutput.formatted(format, arguments) == nil)
        }
        #expect(
            FormattedOutput.text(function: "format", [.charlist("~b"), [.atom("a")]])
                == "~b [a]\n")
        #expect(FormattedOutput.text(function: "unknown", []) == nil)
    }

    @Test func `a short format cannot ask for more text than is wanted`() {
        let bytes = Term.binary([UInt8](repeating: 200, count: 100_000))
        for (format, arguments) in [
            (String(repeating: "~4096n", count: 10_000), []),
            ("~w", [[bytes, bytes]]), ("~p", [[bytes, bytes]]), ("~q", [bytes]),
        ] as [(String, [Term])] {
            let text = FormattedOutput.text(
                function: "format", [.binary(format), .list(arguments)], maximumByteCount: 1000)
            #expect((1000...65_000).contains(text?.utf8.count ?? 0))
        }
        #expect(
            FormattedOutput.text(function: "write", [bytes], maximumByteCount: 1000)?.utf8.count
                ?? 0 < 1010)
    }

    @Test func `mutated formats never trap`() {
        var random = SeededRandom(seed: 4)
        let seed = Array("~-10.3.*ts~*.*.0f~w~+~x~c~#~P~K".utf8)
        let values: [Term] = [1, -5, .charlist("ab"), 2.5, .atom("a"), 70_000, .binary([0xFF])]
        for _ in 0..<20_000 {
            let format = String(decoding: random.mutate(seed), as: UTF8.self)
            _ = FormattedOutput.formatted(format, values.shuffled(using: &random))
        }
    }
}
