@testable import ExternalTermFormat

/// The reader of Erlang's text syntax: what it reads is written as text that it reads as the same.
enum TextTarget {
    /// A few characters can ask for a binary as long as the limit: writing those takes all the time.
    private static let limits = TextLimits(maximumByteCount: 1 << 16)

    static func check(_ bytes: [UInt8]) throws {
        let terms: [Term]
        do throws(TextError) {
            terms = try read(bytes)
        } catch {
            // The place is in the text, and the message can be made.
            let lineCount = bytes.count { $0 == UInt8(ascii: "\n") } + 1
            try require((1...lineCount).contains(error.line), "line \(error.line)")
            try require(!error.description.isEmpty, "no description")
            return
        }
        for term in terms {
            let text = term.erlangText()
            try require(try Term(text: text) == term, "another term after writing: \(text)")
            let cut = term.erlangText(maximumByteCount: 10)
            try require(cut.utf8.count <= 13, "not cut: \(cut)")
            try require(try Term(decoding: term.encoded()) == term, "encoding: \(text)")
        }
    }

    private static func read(_ bytes: [UInt8]) throws(TextError) -> [Term] {
        var reader = try ErlangTextReader(utf8: bytes, limits: limits)
        var terms: [Term] = []
        while let term = try reader.next() { terms.append(term) }
        return terms
    }
}
