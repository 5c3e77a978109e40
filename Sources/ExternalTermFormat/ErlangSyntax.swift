/// What the reader and the writer of Erlang's text syntax need to know about its characters.
///
/// Source: the chapter "Character Set and Source File Encoding" of the Erlang reference manual;
/// OTP's `erl_scan.erl` and `io_lib.erl`.
enum ErlangSyntax {
    /// A small letter of Latin-1, with which an unquoted atom begins.
    static func startsAtom(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "\u{DF}"..."\u{F6}", "\u{F8}"..."\u{FF}": true
        default: false
        }
    }

    /// A capital letter of Latin-1 or an underscore.
    static func startsVariable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "A"..."Z", "_", "\u{C0}"..."\u{D6}", "\u{D8}"..."\u{DE}": true
        default: false
        }
    }

    /// A character that may follow in an unquoted atom.
    static func continuesName(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "@": true
        default: startsAtom(scalar) || startsVariable(scalar)
        }
    }

    static func isWhitespace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\0"..." ", "\u{80}"..."\u{A0}": true
        default: false
        }
    }

    /// A character that Erlang shows as such inside a string, not as a number:
    /// `io_lib:printable_unicode_list/1`.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case " "..."~", "\u{A0}"..."\u{D7FF}", "\u{E000}"..."\u{FFFD}",
            "\u{10000}"..."\u{10FFFF}":
            true
        case "\n", "\r", "\t", "\u{0B}", "\u{08}", "\u{0C}", "\u{1B}": true
        default: false
        }
    }

    /// The words that are not unquoted atoms in any release: `erl_scan:reserved_word/1`.
    private static let reservedWords: Set<String> = [
        "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case",
        "catch", "cond", "div", "end", "fun", "if", "let", "not", "of", "or", "orelse", "receive",
        "rem", "try", "when", "xor",
    ]

    /// Whether the reader takes the word for a keyword. `maybe` and `else` are atoms up to OTP 26,
    /// and always atoms here.
    static func isReserved(_ word: String) -> Bool {
        reservedWords.contains(word)
    }

    /// Whether the writer puts the atom in quotes although its letters do not need them. `maybe`
    /// and `else` are reserved from OTP 27 on; in quotes they are valid everywhere.
    static func isQuotedWord(_ word: String) -> Bool {
        isReserved(word) || word == "maybe" || word == "else"
    }
}
