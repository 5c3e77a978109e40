import Testing

@testable import Transport

@Suite struct SafeTextTests {
    @Test(arguments: [
        ("plain text", "plain text"),
        ("Grüße, 日本, 👨‍👩‍👧", "Grüße, 日本, 👨‍👩‍👧"),
        ("a\tb", "a\tb"),
        ("\u{1B}[2J\u{1B}]0;title\u{07}", "\\x{1B}[2J\\x{1B}]0;title\\x{07}"),
        ("\u{9B}31m", "\\x{9B}31m"),
        ("a\u{202E}b\u{2066}c\u{200B}d", "a\\x{202E}b\\x{2066}c\\x{200B}d"),
        ("tag \u{E0041}", "tag \\x{E0041}"),
        ("one\ntwo\r\nthree\r", "one | two | three\\x{0D}"),
        ("\0\u{7F}\u{2028}", "\\x{00}\\x{7F}\\x{2028}"),
    ])
    func `what a terminal would obey is shown as its number`(text: String, shown: String) {
        #expect(SafeText.line(text) == shown)
        #expect(SafeText.line(shown) == shown)
    }

    @Test func `lines of a longer text stay lines`() {
        #expect(SafeText.text("a\n\n\u{1B}b\r\nc\n") == "a\n\n\\x{1B}b\nc\n")
    }

    // MARK: Output of applications

    private static func filtered(_ bytes: [UInt8]) -> [UInt8] {
        var filter = TerminalFilter()
        return filter.pass(bytes) + filter.finish()
    }

    @Test(arguments: [
        ("plain\nlines\r\n\ttab", "plain\nlines\r\n\ttab"),
        (
            "\u{1B}[31mred\u{1B}[0m \u{1B}[1;38:2::255:0:0mmore\u{1B}[m",
            "\u{1B}[31mred\u{1B}[0m \u{1B}[1;38:2::255:0:0mmore\u{1B}[m"
        ),
        ("\u{1B}[2J", "\\x{1B}[2J"),
        ("\u{1B}]52;c;aGk=\u{07}", "\\x{1B}]52;c;aGk=\\x{07}"),
        ("\u{1B}31m", "\\x{1B}31m"),
        ("\u{1B}[3[1m", "\\x{1B}[3[1m"),
        ("over\rwritten", "over\\x{0D}written"),
        ("\u{9B}2J \u{202E}Grüße 日本 👍", "\\x{9B}2J \\x{202E}Grüße 日本 👍"),
        ("\u{1B}", "\\x{1B}"),
    ])
    func `colours stay, all else is shown`(text: String, shown: String) {
        #expect(Self.filtered(Array(text.utf8)) == Array(shown.utf8))
    }

    @Test func `bytes that are no UTF-8 are shown as numbers`() {
        let bytes: [UInt8] = [0x9B, 0x41, 0xC3, 0x28, 0xE2, 0x82, 0xED, 0xA0, 0x80, 0xFF]
        let shown = "\\x{9B}A\\x{C3}(\\x{E2}\\x{82}\\x{ED}\\x{A0}\\x{80}\\x{FF}"
        #expect(Self.filtered(bytes) == Array(shown.utf8))
    }

    @Test func `an endless sequence of colours is none`() {
        let bytes = Array("\u{1B}[".utf8) + [UInt8](repeating: 0x31, count: 1_000)
        var filter = TerminalFilter()
        #expect(filter.pass(bytes).starts(with: Array("\\x{1B}[".utf8)))
    }

    @Test func `wherever the bytes are cut, the same is shown`() {
        let text = "\u{1B}[1;31mrot\u{1B}[0m\r\n日\u{202E}\u{1B}[2J\r👍\u{9B}"
        let bytes = Array(text.utf8) + [0xFF, 0xE2, 0x82]
        let whole = Self.filtered(bytes)
        for cut in 0...bytes.count {
            var filter = TerminalFilter()
            let shown =
                filter.pass(bytes[..<cut]) + filter.pass(bytes[cut...]) + filter.finish()
            #expect(shown == whole, "cut at \(cut)")
        }
        var filter = TerminalFilter()
        #expect(bytes.flatMap { filter.pass([$0]) } + filter.finish() == whole)
    }
}
