import TestKit

/// Texts that are terms, or nearly: what two readers of them could disagree about.
enum TextSamples {
    /// Each is a text of its own. Left out is what OTP's releases read in different ways: `maybe`,
    /// `else`, `\^?`, and `2#1.1`, which OTP 29 takes for a number. Here it is refused.
    static let all = [
        "1", "-1", "+1", "(1)", "((1))", "-(1)", "+(1)", "-((1))", "-(-1)", "(-1)", "(+1)",
        "(-(1))", "- 1", "-(1.5)", "+(1.5)", "-($a)", "$a", "-$a", "-(a)", "-(\"a\")", "-[1]",
        "-{1}", "-<<1>>", "1.5", "-1.5", "0.0", "-0.0", "-(0.0)", "+0.0", "1.0e10", "1.0E-10",
        "1e10", "16#ff", "1_0", "1_", "1__0", "1.0_1", "1._0", "1_0.5", "0x1",
        "$", "$ ", "$\\n", "$\\x41", "$\\x{41}", "$\\^a", "$\\^A", "$\\^1", "$\\8", "$\\09",
        "$\\400", "$''", "$\"", "$\\\"", "a$a", "1$a", "1a", "1 a", "'a''b'", "\"a\"\"b\"",
        "\"a\" \"b\"", "(\"a\")\"b\"", "(\"a\" \"b\")", "a.", "a .", "a. %x", "a..", "..", "a,b",
        "()", "( )", "{}", "{,}", "{a,}", "[]", "[|]", "[a|]", "[|a]", "[a|b|c]", "[a,|b]",
        "[a|[b|[c]]]", "[a|\"bc\"]", "[]|a", "#{}", "#{a=>b}", "#{a:=b}", "#{a=>b,}", "#{,}",
        "#{a=>b,a=>c}", "# {a=>b}", "#{1=>a,1.0=>b}", "#{0.0=>a,-0.0=>b}", "#{-0.0=>a,0.0=>b}",
        "#{[0.0]=>a,[-0.0]=>b}", "#{0=>a,0.0=>b,-0.0=>c}", "#{ (a) => (b) }", "#r{}", "#r{a=1}",
        "#{}#{a=>1}", "fun a:b/1", "fun a:b/-1", "fun a:b/255", "fun a:b/256", "fun a:b/(1)",
        "fun (a):b/1", "fun a : b / 1", "fun 'A':'B'/0", "fun a/1", "fun A:b/1", "fun a:B/1",
        "fun a:b/$a", "fun a:b/1.0", "fun a:b/16#f", "fun () -> ok end", "fun a:b", "fun",
        "fun a:b/1_0", "a:b", "a:b()", "A", "_", "?a", "a+b", "1+1", "not a", "begin a end",
        "'maybe'", "a@b", "@a", "a_b", "A_b", "é", "É", "ß", "Ω", "'Ω'", "\"Ω\"",
        "$Ω", "%", "% a", "a%b", "\"\\", "'\\", "\"\\x\"", "\"\\x1\"", "\"\\x{1}\"", "\"\\x{1\"",
        "\"\\x{}\"", "\"\\x{110000}\"", "\"\\x{d800}\"", "\"\\x{ffff}\"", "\"\\x{fffe}\"",
        "\"\\8\"", "\"\\18\"", "\"\\777\"", "\"\\1234\"", "\"\\^\"", "\"\\^[\"",
        "\"\\^a\"", "\"\\^1\"", "\"\\^ \"", "\"\\q\"", "\"\\\\\"", "'\\x{3a9}'", "'\\q'", "<<>>",
        "<< >>", "<<>", "<<1>>", "<<1,>>", "<<,1>>", "<<1 2>>", "=<", "<0.1.0>", "#Ref<0.1>",
        "a=b", "{a=>b}", "[a=>b]", "-", "+", "--1", "++1", "-+1", "- -1", "1.", "1.a", "1.5.",
        "1.5.5", "1.0e", "1.0e+", "1.0e5", "1.0e+5", "1.0e400", "1.0e-400", "5.0e-324",
        "2.0e-324", "1.7976931348623157e308", "1.7976931348623159e308", "0.1",
        "123456789012345678901234567890", "-123456789012345678901234567890",
        "-(123456789012345678901234567890)", "1#0", "2#", "2#2", "36#z", "37#z", "36#Z", "02#1",
        "002#1", "0002#1", "16#_f", "16#f_f", "16#f_", "3#12_", "0", "00", "-0", "007", "$\\s",
        "$\\d", "{a}.", "\"a\".", "'' ", "''", "'\n'", "!", "a;b", "a->b", "a||b", "[a||b]",
        "{1,(2),[(3)|(4)]}",
    ]

    /// What may stand in a binary's segment, or may not.
    static let values = [
        "1", "-1", "+1", "(1)", "-(1)", "(-1)", "((1))", "- 1", "1.5", "-1.5", "(1.5)", "-(1.5)",
        "\"ab\"", "(\"ab\")", "((\"ab\"))", "\"\"", "(\"\")", "\"a\" \"b\"", "\"\\x{3a9}\"",
        "[1]", "([1])", "([97,98])", "([])", "[]", "a", "(a)", "{1}", "({1})", "$a", "-$a",
        "($a)", "<<1>>", "(<<1>>)", "<<1,2>>", "<<1:3>>", "(<<1:3>>)", "16#ffff",
        "123456789012345678901234567890", "-123456789012345678901234567890", "0.0", "-0.0",
        "1.0e300", "65504.0", "65520.0", "70000.0", "1.0e-8", "3.5e38", "fun a:b/1", "#{}",
        "1114111", "1114112", "55296", "-5", "65533", "16#D800",
    ]

    /// Sizes of segments, right and wrong.
    static let sizes = [
        "", ":8", ":16", ":32", ":64", ":0", ":1", ":7", ":(8)", ":((8))", ":(+8)", ":(-8)",
        ":+8", ":-8", ":$a", ":(16)", ":8.0", ":a", ":\"a\"", ":<<1>>", ":2", ":4", ":63", ":65",
        ":128", ":[8]",
    ]

    /// Types of segments, right and wrong.
    static let types = [
        "", "/integer", "/float", "/binary", "/bytes", "/bitstring", "/bits", "/utf8", "/utf16",
        "/utf32", "/little", "/big", "/native", "/signed", "/unsigned", "/unit:8", "/unit:1",
        "/unit:256", "/unit:257", "/unit:0", "/unit:(8)", "/unit:$a", "/unit", "/integer-unit:8",
        "/float-unit:64", "/float-unit:32", "/float-unit:16", "/float-unit:1", "/binary-unit:8",
        "/binary-unit:1", "/binary-unit:16", "/bits-unit:8", "/bytes-unit:1", "/bytes-unit:8",
        "/bitstring-unit:4", "/integer-float", "/float-integer", "/integer-integer",
        "/binary-bytes", "/binary-bits", "/bytes-bits", "/bits-bitstring", "/little-big",
        "/little-little", "/big-native", "/signed-unsigned", "/signed-signed", "/unit:8-unit:8",
        "/unit:8-unit:4", "/utf8-little", "/utf16-little", "/utf32-little", "/utf8-signed",
        "/utf8-unit:8", "/utf8-unit:1", "/binary-little", "/binary-signed", "/float-little",
        "/float-signed", "/float-little-unit:32", "/little-float", "/integer-", "/-integer",
        "/integer,float", "/what", "/Integer", "/'integer'", "/integer-little-signed-unit:8",
        "/float-native", "/utf8-utf8", "/utf8-utf16", "/default",
    ]

    /// Binaries: each value by itself, with each size and with each type, and `count` with both.
    static func binaries(_ count: Int, using random: inout SeededRandom) -> [String] {
        var texts: [String] = []
        for value in values + largeValues {
            texts += sizes.map { "<<\(value)\($0)>>" } + types.map { "<<\(value)\($0)>>" }
            texts += [
                "<<\(value),\(value)>>", "<<3:3,\(value)/binary,5:5>>", "<<3:3,\(value)/bits>>",
            ]
        }
        func one(_ texts: [String]) -> String {
            texts[Int.random(in: 0..<texts.count, using: &random)]
        }
        for _ in 0..<count {
            texts.append("<<\(one(values))\(one(sizes))\(one(types))>>")
        }
        return texts
    }

    /// The last one is too large for a float.
    private static let largeValues = [308, 309].map { "1" + String(repeating: "0", count: $0) }
}
