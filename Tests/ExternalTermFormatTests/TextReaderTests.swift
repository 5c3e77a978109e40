import ExternalTermFormat
import TestKit
import Testing

@Suite struct TextReaderTests {
    @Test(
        arguments: [
            ("a", .atom("a")), ("aB_1@x", .atom("aB_1@x")), ("'A b'", .atom("A b")),
            ("''", .atom("")),
            ("é", .atom("é")), (#"'it\'s'"#, .atom("it's")), ("'Ω'", .atom("Ω")),
            ("maybe", .atom("maybe")), ("else", .atom("else")),
            ("[]", []), ("[1]", [1]),
            ("[a,b|c]", .improperList([.atom("a"), .atom("b")], .atom("c"))),
            ("[1|[2]]", [1, 2]), ("{}", .tuple([])),
            ("{a,{1}}", .tuple([.atom("a"), .tuple([1])])),
            ("#{}", .map([:])), ("#{a => 1, \"b\"=>2}", .map([.atom("a"): 1, .charlist("b"): 2])),
            ("#{a=>1,a=>2}", .map([.atom("a"): 2])),
            ("(1)", 1),
            ("fun lists:map/2", .export(Export(module: "lists", function: "map", arity: 2))),
            ("fun 'A':'b c'/255", .export(Export(module: "A", function: "b c", arity: 255))),
            ("% a comment\n 1 % another", 1), ("1.", 1), ("1.%", 1), ("\t1 .\n\n", 1),
        ] as [(String, Term)])
    func `atoms and containers are read`(text: String, term: Term) throws {
        #expect(try Term(text: text) == term)
    }

    @Test(
        arguments: [
            ("0", 0), ("-1", -1), ("+ 1", 1), ("- 1", -1), ("1_000_000", 1_000_000), ("16#fF", 255),
            ("-16#F_F", -255), ("2#101", 5), ("36#zz", 1295),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .bigInteger(BigInteger("9223372036854775808")!)),
            ("1.5", 1.5), ("-1.5e3", -1500.0), ("1.0E-2", 0.01), ("1.5e+3", 1500.0),
            ("1_0.2_5", 10.25),
            ("-0.0", -0.0), ("5.0e-324", .float(.leastNonzeroMagnitude)),
            ("$a", 97), ("$ ", 32), (#"$\n"#, 10), (#"$\x{1F600}"#, 0x1F600), (#"$\\"#, 92),
            ("-$a", -97), ("-(1)", -1), ("+((1.5))", 1.5), ("-(16#f)", -15), ("0002#1", 1),
            ("(-(1))", -1),
            ("$Ω", 0x3A9), (#"$\^a"#, 1), ("$$", 36), ("$'", 39),
        ] as [(String, Term)])
    func `numbers and characters are read`(text: String, term: Term) throws {
        #expect(try Term(text: text) == term)
    }

    @Test(
        arguments: [
            (#""""#, []), (#""abc""#, .charlist("abc")), (#""a" "b""#, .charlist("ab")),
            ("\"a\"\n%c\n\"b\"", .charlist("ab")),
            (#""\n\t\r\v\b\f\e\s\d""#, [10, 9, 13, 11, 8, 12, 27, 32, 127]),
            (#""\0\7\12\101\400""#, [0, 7, 10, 65, 256]),
            (#""\x41\x{3a9}\x{000041}""#, [65, 0x3A9, 65]),
            (#""\^a\^A\^[\q\"""#, [1, 1, 27, 113, 34]), ("\"grün\n\"", .charlist("grün\n")),
        ] as [(String, Term)])
    func `strings are read with their escapes`(text: String, term: Term) throws {
        #expect(try Term(text: text) == term)
    }

    @Test(
        arguments: [
            ("<<>>", .binary([])), ("<<1,2,3>>", .binary([1, 2, 3])),
            ("<<\"abc\">>", .binary("abc")),
            ("<<\"ä\">>", .binary([228])), ("<<\"ä\"/utf8>>", .binary("ä")),
            ("<<256>>", .binary([0])),
            ("<<-1>>", .binary([255])), ("<<-1:12, 5:4>>", .binary([255, 245])),
            ("<<1:4>>", .bitstring(Bitstring(bytes: [16], lastBitCount: 4))),
            ("<<1,2:4>>", .bitstring(Bitstring(bytes: [1, 32], lastBitCount: 4))),
            ("<<1:16>>", .binary([0, 1])), ("<<1:16/little>>", .binary([1, 0])),
            ("<<16#abc:12/little, 0:4>>", .binary([0xBC, 0xA0])),
            ("<<1:2/unit:8>>", .binary([0, 1])),
            ("<<1:(2)/integer-unit:8-little>>", .binary([1, 0])),
            ("<<\"ab\":16>>", .binary([0, 97, 0, 98])), ("<<1:0>>", .binary([])),
            ("<<1.5/float>>", .binary([63, 248, 0, 0, 0, 0, 0, 0])),
            ("<<1.5:32/float, 1:32/float-little>>", .binary([63, 192, 0, 0, 0, 0, 128, 63])),
            (
                "<<8364/utf8, $a/utf16, 16#1F600/utf16, 1/utf32>>",
                .binary([226, 130, 172, 0, 97, 0xD8, 0x3D, 0xDE, 0, 0, 0, 0, 1])
            ),
            ("<<1.5:16/float, 1:16/float-little>>", .binary([0x3E, 0, 0, 0x3C])),
            (
                "<<123456789012345678901234567890:32/float>>",
                .binary([0x6F, 0xC7, 0x74, 0x88])
            ),
            ("<<65520.0:16/float, 1.0e300:32/float>>", .binary([0x7C, 0, 0x7F, 0x80, 0, 0])),
            ("<<\"\", \"\":16/float>>", .binary([])),
            ("<<(1), -(1), (\"ab\"), 1:((8)), 1:(+8)>>", .binary([1, 255, 97, 98, 1, 1])),
            ("<<1/little-little-unsigned-unsigned>>", .binary([1])),
            ("<<<<1,2>>/binary-bits>>", .binary([1, 2])),
            ("<<1,<<2,3>>/binary>>", .binary([1, 2, 3])), ("<<(<<2,3>>):1/bytes>>", .binary([2])),
            ("<<<<1:1>>/bits, 1:7>>", .binary([129])),
            ("<<18446744073709551616:72>>", .binary([1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ] as [(String, Term)])
    func `binaries are read with their segments`(text: String, term: Term) throws {
        #expect(try Term(text: text) == term)
    }

    @Test func `a file of terms is consulted`() throws {
        let text = """
            %% An application upgrade file.
            {"1.1.0",
             [{"1.0.0", [{update, worker, {advanced, []}}]}],  % up
             [{<<"1\\\\.0">>, []}]}.
            last.
            """
        #expect(
            try Term.consult(text) == [
                .tuple([
                    .charlist("1.1.0"),
                    [
                        .tuple([
                            .charlist("1.0.0"),
                            [
                                .tuple([
                                    .atom("update"), .atom("worker"),
                                    .tuple([.atom("advanced"), []]),
                                ])
                            ],
                        ])
                    ], [.tuple([.binary(#"1\.0"#), []])],
                ]), .atom("last"),
            ])
        #expect(try Term.consult("") == [])
        #expect(try Term.consult("% nothing\n") == [])
        var reader = try ErlangTextReader(utf8: Array("a. b.".utf8))
        #expect(try reader.next() == .atom("a"))
        #expect(try reader.next() == .atom("b"))
        #expect(try reader.next() == nil)
    }

    @Test(
        arguments: [
            ("", 1, 1, .unexpected(found: "end of text", wanted: .term)),
            ("[1,\n 2", 2, 3, .unexpected(found: "end of text", wanted: .commaOrBracket)),
            ("[1 2]", 1, 4, .unexpected(found: "2", wanted: .commaOrBracket)),
            ("[1,]", 1, 4, .unexpected(found: "]", wanted: .term)),
            ("[|a]", 1, 2, .unexpected(found: "|", wanted: .term)),
            ("[a|b,c]", 1, 5, .unexpected(found: ",", wanted: .closingBracket)),
            ("{a,\n\nB}", 3, 1, .unexpected(found: "B", wanted: .term)),
            ("{a]", 1, 3, .unexpected(found: "]", wanted: .commaOrBrace)),
            ("#{a=>1,b}", 1, 9, .unexpected(found: "}", wanted: .arrow)),
            ("#a", 1, 2, .unexpected(found: "a", wanted: .openingBrace)),
            ("after", 1, 1, .unexpected(found: "after", wanted: .term)),
            ("- - 1", 1, 3, .unexpected(found: "-", wanted: .number)),
            ("-a", 1, 2, .unexpected(found: "a", wanted: .number)),
            ("a b", 1, 3, .unexpected(found: "b", wanted: .endOfText)),
            ("a. b", 1, 4, .unexpected(found: "b", wanted: .endOfText)),
            ("a.b", 1, 2, .invalidCharacter(".")),
            ("<0.1.0>", 1, 1, .invalidCharacter("<")),
            ("#Ref<0.1.2.3>", 1, 2, .unexpected(found: "Ref", wanted: .openingBrace)),
            ("Ω", 1, 1, .invalidCharacter("Ω")),
            ("fun() -> ok end", 1, 4, .unexpected(found: "(", wanted: .atom)),
            ("fun a/1", 1, 6, .unexpected(found: "/", wanted: .colon)),
            ("fun a:b/256", 1, 9, .unexpected(found: "256", wanted: .integer)),
            ("fun a:b/$1", 1, 9, .unexpected(found: "$1", wanted: .integer)),
            ("{\"abc", 1, 2, .unterminated(.string)), ("'abc", 1, 1, .unterminated(.quotedAtom)),
            ("$", 1, 1, .unterminated(.character)), (#""a\"#, 1, 1, .unterminated(.string)),
            (#""ab\x{110000}""#, 1, 4, .invalidEscape), (#""\x{d800}""#, 1, 2, .invalidEscape),
            (#""\x{}""#, 1, 2, .invalidEscape), (#""\xg""#, 1, 2, .invalidEscape),
            ("1.0e400", 1, 1, .invalidNumber), ("1.5e", 1, 1, .invalidNumber),
            ("37#1", 1, 1, .invalidNumber),
            ("1#1", 1, 1, .invalidNumber), ("16#", 1, 1, .invalidNumber),
            ("2#2", 1, 1, .invalidNumber),
            ("1__0", 1, 2, .unexpected(found: "__0", wanted: .endOfText)),
            ("1e5", 1, 2, .unexpected(found: "e5", wanted: .endOfText)),
            ("<<a>>", 1, 3, .unexpected(found: "a", wanted: .segment)),
            ("<<1", 1, 4, .unexpected(found: "end of text", wanted: .commaOrBinaryEnd)),
            ("<<1.5>>", 1, 3, .invalidSegment), ("<<1, 1.5:31/float>>", 1, 6, .invalidSegment),
            ("<<1/binary>>", 1, 3, .invalidSegment), ("<<16#D800/utf8>>", 1, 3, .invalidSegment),
            ("<<1:8/utf8>>", 1, 3, .invalidSegment), ("<<1/unit:8>>", 1, 3, .invalidSegment),
            ("<<([97])>>", 1, 4, .unexpected(found: "[", wanted: .segment)),
            ("<<1:(-8)>>", 1, 3, .invalidSegment),
            ("<<1:+8>>", 1, 5, .unexpected(found: "+", wanted: .segmentSize)),
            ("<<1/integer-float>>", 1, 13, .invalidSegment),
            ("<<1/little-big>>", 1, 12, .invalidSegment),
            ("<<1:8/unit:8-unit:4>>", 1, 19, .invalidSegment),
            ("<<<<1>>/bytes-bits>>", 1, 15, .invalidSegment),
            ("<<\"\"/binary>>", 1, 3, .invalidSegment), ("<<\"\":8/utf8>>", 1, 3, .invalidSegment),
            ("\"\\x{ffff}\"", 1, 2, .invalidEscape),
            ("-(-1)", 1, 3, .unexpected(found: "-", wanted: .number)),
            ("-(1", 1, 4, .unexpected(found: "end of text", wanted: .closingParenthesis)),
            ("#{0.0=>a,-0.0=>b}", 1, 17, .zeroKeys),
            ("#{{[0.0]}=>a,{[-0.0]}=>b}", 1, 25, .zeroKeys),
            ("<<1/what>>", 1, 5, .unexpected(found: "what", wanted: .segmentType)),
            ("<<1:a>>", 1, 5, .unexpected(found: "a", wanted: .segmentSize)),
            ("<<1/integer-unit:257>>", 1, 18, .unexpected(found: "257", wanted: .segmentSize)),
            ("<<1:9999999999>>", 1, 3, .tooLong(maximum: 16_777_216)),
            ("<<1:9223372036854775807/unit:256>>", 1, 3, .tooLong(maximum: 16_777_216)),
        ] as [(String, Int, Int, TextError.Reason)])
    func `an error says where and what was wanted`(
        text: String, line: Int, column: Int, reason: TextError.Reason
    ) {
        #expect(throws: TextError(line: line, column: column, reason: reason)) {
            try Term(text: text)
        }
    }

    @Test func `a file's last term needs its dot`() {
        #expect(
            throws: TextError(
                line: 2, column: 2, reason: .unexpected(found: "end of text", wanted: .dot))
        ) { try Term.consult("a.\nb") }
    }

    @Test func `an error reads well`() {
        #expect(throws: TextError.self) { try Term(text: "{a,\n]") }
        do {
            _ = try Term(text: "{a,\n]")
        } catch {
            #expect(error.description == "line 2, column 1: found ] where a term was wanted")
        }
    }

    @Test func `text beyond a limit is rejected`() {
        func reason(_ text: String, _ limits: TextLimits) -> TextError.Reason? {
            do {
                _ = try Term(text: text, limits: limits)
                return nil
            } catch {
                return error.reason
            }
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(reason(deep, .default) == .tooDeep(maximum: 128))
        #expect(reason(String(repeating: "<<", count: 100_000), .default) == .tooDeep(maximum: 128))
        #expect(reason("[[]]", TextLimits(maximumDepth: 1)) == nil)
        #expect(reason("[[1]]", TextLimits(maximumDepth: 1)) == .tooDeep(maximum: 1))
        #expect(reason("[1,2,3]", TextLimits(maximumTerms: 3)) == .tooManyTerms(maximum: 3))
        #expect(reason("\"abc\"", TextLimits(maximumTerms: 3)) == .tooManyTerms(maximum: 3))
        #expect(reason("\"abc\"", TextLimits(maximumByteCount: 4)) == .tooLong(maximum: 4))
        #expect(
            reason("<<1:64,1:64>>", TextLimits(maximumByteCount: 15)) == .tooLong(maximum: 15))
        #expect(reason(String(repeating: "a", count: 256), .default) == .atomTooLong(length: 256))
        #expect(reason(String(repeating: "9", count: 9867), .default) == .numberTooLong)
    }

    @Test func `what is not UTF-8 is rejected`() {
        #expect(throws: TextError(line: 1, column: 1, reason: .invalidUTF8)) {
            try ErlangTextReader(utf8: [0x22, 0xFF, 0x22])
        }
    }

    @Test func `mutations of text never trap, and what is read comes back`() {
        let samples = [
            #"{application, 'My app', [{vsn, "1.0\x{3a9}\n"}, {mods, [a|b]}, fun lists:map/2]}."#,
            "#{key => 1.5e-3, \"k\" => <<1, 2:4/little, \"text\"/utf8, 1.5:32/float, <<1>>/binary>>}",
            "{$a, $\\n, -16#ff_f, 1_000, -1, + 2, 2#101, 123456789012345678901234567890} % end",
            Sample.everything.description,
        ]
        let spare = Array(
            "0123456789abxuZ_@'\"\\$#{}[]()<>,|=>:/-+.% \n\0\u{e9}\u{430}\u{FFFF}".unicodeScalars)
        var random = SeededRandom(seed: 9)
        for round in 0..<20_000 {
            var scalars = Array(samples[round % samples.count].unicodeScalars.prefix(200))
            for _ in 0...random.below(4) {
                let position = random.below(scalars.count)
                switch random.below(3) {
                case 0: scalars.insert(spare[random.below(spare.count)], at: position)
                case 1: scalars[position] = spare[random.below(spare.count)]
                default: scalars.remove(at: position)
                }
            }
            let text = String(String.UnicodeScalarView(scalars))
            guard let term = try? Term(text: text) else { continue }
            if (try? Term(text: term.description)) != term {
                Issue.record("\(text.debugDescription) is \(term)")
            }
        }
    }
}
