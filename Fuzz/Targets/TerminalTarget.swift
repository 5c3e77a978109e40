@testable import Transport

/// What an application prints: no byte of it makes a terminal do more than write and set colours, and
/// how the bytes are cut makes no difference.
enum TerminalTarget {
    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let size = input.byte()
        let whole = filtered(input.pieces(of: 0))
        try require(filtered(input.pieces(of: size)) == whole, "it depends on the pieces")
        guard let text = String(validating: whole, as: UTF8.self) else {
            throw FuzzFailure(description: "no UTF-8 comes out")
        }
        try require(whole.count <= 8 * input.rest.count, "it grows beyond the numbers")
        try checkSequences(text)
        let line = SafeText.line(String(decoding: input.rest, as: UTF8.self))
        try require(
            !line.unicodeScalars.contains(where: SafeText.isHarmful), "\(line.debugDescription)")
        try require(SafeText.line(line) == line, "it is made safe twice")
    }

    private static func filtered(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var filter = TerminalFilter()
        return pieces.flatMap { filter.pass($0) } + filter.finish()
    }

    /// Without ends of lines and colours nothing harmful is left.
    private static func checkSequences(_ text: String) throws {
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\n": continue
            case "\r": try require(rest.first == "\n", "a carriage return alone")
            case "\u{1B}":
                try require(rest.popFirst() == "[", "an escape that begins no sequence")
                let parameters = rest.prefix { "0123456789;:".unicodeScalars.contains($0) }
                rest = rest.dropFirst(parameters.count)
                try require(rest.popFirst() == "m", "a sequence that sets no colour")
            default: try require(!SafeText.isHarmful(scalar), "U+\(scalar.value)")
            }
        }
    }
}
