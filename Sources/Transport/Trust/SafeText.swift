/// Makes text that others have written safe to show: what an application printed, what a peer sent,
/// what a file contains. A terminal would obey escape sequences in it. Characters that change the
/// direction of writing, or that are invisible, make a line seem to say something else.
///
/// It is called where text leaves for a log or a terminal, and nowhere else.
package enum SafeText {
    /// Whether the character is shown as its number. That applies to the controls C0 and C1, except
    /// the tab, and to the characters of Unicode that change the direction, end a line or are
    /// invisible.
    ///
    /// Source: ECMA-48, sections 5.2 and 5.3; Unicode Standard Annex 9, section 2.
    package static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09: false
        case ..<0x20, 0x7F..<0xA0: true
        case ..<0x061C: false
        case 0x061C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
            0xFFF9...0xFFFB, 0xE0000...0xE007F:
            true
        default: false
        }
    }

    /// The text as one line. Ends of lines become ` | `, and harmful characters become `\x{1B}`, as
    /// Erlang writes them. Applying it twice changes nothing more.
    package static func line(_ text: String) -> String {
        // Nearly all lines are like this.
        if text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }) { return text }
        return text.split { $0 == "\n" || $0 == "\r\n" }.map(escaped).joined(separator: " | ")
    }

    /// The text of several lines, whose ends stay.
    package static func text(_ text: String) -> String {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
            .map(escaped).joined(separator: "\n")
    }

    private static func escaped(_ text: some StringProtocol) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                result += number(scalar.value)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `\x{1B}`
    static func number(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return "\\x{" + (digits.utf8.count < 2 ? "0" : "") + digits + "}"
    }
}
