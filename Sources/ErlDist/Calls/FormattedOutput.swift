internal import ExternalTermFormat
internal import Glibc

/// Formats what a remote function prints, as `io_lib` does, if the function leaves that to its
/// group leader.
///
/// `io:format/2` does so: its request carries the format and the arguments, not text. `~p` and `~P`
/// neither break lines nor limit the depth here: each term is written on one line.
///
/// Source: `io:fwrite/3` and `io_lib.erl`.
enum FormattedOutput {
    /// The text of `io_lib:function(arguments…)`; `nil` for functions that are not known.
    ///
    /// It makes not much more than `maximumByteCount` bytes, and reads not much more of the format:
    /// a format of six bytes can ask for 4 KiB, and a format of 20 MiB for nothing.
    static func text(
        function: String, _ arguments: [Term], maximumByteCount: Int = .max
    ) -> String? {
        switch (function, arguments.count) {
        case ("nl", 0): return "\n"
        case ("write", 1...3), ("write_string", 1...2), ("write_atom", 1), ("print", 1...4):
            return arguments[0].erlangText(maximumByteCount: maximumByteCount)
        case ("format", 2), ("fwrite", 2):
            guard let format = format(arguments[0], maximumByteCount),
                let values = arguments[1].asList
            else { return nil }
            // Erlang would raise an exception in the function that prints. Here it helps more to
            // show what there is.
            if let text = formatted(format, values, maximumByteCount: maximumByteCount) {
                return text
            }
            let shown = arguments[1].erlangText(maximumByteCount: maximumByteCount)
            return "\(format) \(shown)\n"
        case (_, _): return nil
        }
    }

    private static func format(_ term: Term, _ maximumByteCount: Int) -> String? {
        if case .atom(let atom) = term { return atom.name }
        return term.text(upTo: maximumByteCount)
    }

    /// `format` with its control sequences replaced; `nil` when they do not fit the arguments. A
    /// format as long as the limit was probably cut: then the text before the first sequence that
    /// does not fit is returned.
    static func formatted(
        _ format: String, _ arguments: [Term], maximumByteCount: Int = .max
    ) -> String? {
        var scanner = FormatScanner(format, arguments, maximumByteCount: maximumByteCount)
        let isCut = format.utf8.count + 4 > maximumByteCount
        var text = ""
        while let scalar = scanner.next() {
            guard scalar == "~" else {
                text.unicodeScalars.append(scalar)
                continue
            }
            guard let sequence = scanner.sequence(), let part = scanner.text(sequence) else {
                return isCut ? text : nil
            }
            text += part
            // Making text takes time even when the text is not shown, such as text that is cut to a
            // width.
            if text.utf8.count >= maximumByteCount || scanner.isExhausted { return text }
        }
        return scanner.isAtEnd || isCut ? text : nil
    }
}

/// A control sequence: `~F.P.PadModC`.
private struct ControlSequence {
    var width: Int?
    var precision: Int?
    var padding: Unicode.Scalar = " "
    var isUnicode = false
    var control: Unicode.Scalar = " "
}

/// Reads a format and takes its arguments one after the other.
private struct FormatScanner {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var arguments: ArraySlice<Term>
    /// How many bytes of text may still be made from the arguments.
    private var remainingByteCount: Int

    /// Fields wider than this are a mistake, or meant to use up memory.
    private static let maximumWidth = 4096

    init(_ format: String, _ arguments: [Term], maximumByteCount: Int) {
        remainingByteCount = maximumByteCount
        scalars = Array(format.unicodeScalars)
        self.arguments = arguments[...]
    }

    /// Whether no more text may be made.
    var isExhausted: Bool { remainingByteCount <= 0 }

    /// Counts the text that was made from an argument.
    private mutating func made(_ text: String) -> String {
        remainingByteCount -= text.utf8.count
        return text
    }

    var isAtEnd: Bool { position == scalars.count && arguments.isEmpty }

    mutating func next() -> Unicode.Scalar? {
        guard position < scalars.count else { return nil }
        defer { position += 1 }
        return scalars[position]
    }

    /// What stands after the `~`.
    mutating func sequence() -> ControlSequence? {
        var sequence = ControlSequence()
        sequence.width = number(allowingSign: true)
        if skip(".") {
            sequence.precision = number(allowingSign: false)
            if skip(".") {
                if skip("*") {
                    guard case .integer(let value)? = arguments.popFirst(),
                        let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init)
                    else { return nil }
                    sequence.padding = scalar
                } else {
                    guard let padding = next() else { return nil }
                    sequence.padding = padding
                }
            }
        }
        while position < scalars.count, "tlkK".unicodeScalars.contains(scalars[position]) {
            if scalars[position] == "t" { sequence.isUnicode = true }
            if scalars[position] == "K" { _ = arguments.popFirst() }
            position += 1
        }
        guard let control = next() else { return nil }
        sequence.control = control
        if let width = sequence.width, abs(width) > Self.maximumWidth { return nil }
        if let precision = sequence.precision, precision > Self.maximumWidth { return nil }
        return sequence
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard position < scalars.count, scalars[position] == scalar else { return false }
        position += 1
        return true
    }

    private mutating func number(allowingSign: Bool) -> Int? {
        if skip("*") {
            return arguments.popFirst()?.asInteger.map {
                min(max($0, allowingSign ? -9999 : 0), 9999)
            }
        }
        let isNegative = allowingSign && skip("-")
        var value: Int?
        while position < scalars.count, ("0"..."9").contains(scalars[position]) {
            let digit = Int(scalars[position].value - 48)
            value = min((value ?? 0) * 10 + digit, 9999)
            position += 1
        }
        return value.map { isNegative ? -$0 : $0 }
    }

    /// What a sequence stands for; `nil` when its argument is missing or of the wrong type.
    mutating func text(_ sequence: ControlSequence) -> String? {
        switch sequence.control {
        case "n": return String(repeating: "\n", count: max(sequence.width ?? 1, 1))
        case "~": return String(repeating: "~", count: max(sequence.width ?? 1, 1))
        case "i":
            return arguments.popFirst() == nil ? nil : ""
        case "W", "P":
            guard let value = arguments.popFirst(), arguments.popFirst() != nil else { return nil }
            return made(value.erlangText(maximumByteCount: remainingByteCount))
        case "x", "X":
            guard let value = arguments.popFirst(),
                let prefix = arguments.popFirst()?.shortText(maximumByteCount: 64),
                let digits = integer(value, sequence, isUppercase: sequence.control == "X")
            else { return nil }
            return padded(Self.prefixed(digits, prefix), sequence)
        default: break
        }
        guard let value = arguments.popFirst() else { return nil }
        switch sequence.control {
        case "p": return made(value.erlangText(maximumByteCount: remainingByteCount))
        case "w":
            let text = value.erlangText(maximumByteCount: remainingByteCount, showsStrings: false)
            return padded(made(text), sequence)
        case "s":
            return string(value, sequence).map { padded(made($0), sequence) }
        case "c":
            guard
                let scalar = value.asInteger.flatMap({ UInt32(exactly: $0) })
                    .flatMap(Unicode.Scalar.init)
            else { return nil }
            let count = sequence.precision ?? abs(sequence.width ?? 1)
            return padded(String(repeating: String(Character(scalar)), count: count), sequence)
        case "b": return integer(value, sequence, isUppercase: false).map { padded($0, sequence) }
        case "B": return integer(value, sequence, isUppercase: true).map { padded($0, sequence) }
        case "+", "#":
            return integer(value, sequence, isUppercase: true).map {
                padded(Self.prefixed($0, "\(sequence.precision ?? 10)#"), sequence)
            }
        case "f", "e", "g": return float(value, sequence)
        default: return nil
        }
    }

    private func string(_ value: Term, _ sequence: ControlSequence) -> String? {
        // Without a precision the width cuts as well; a character has four bytes at most.
        let length = sequence.precision ?? sequence.width.map(abs)
        let limit = length.map { min($0 * 4, remainingByteCount) } ?? remainingByteCount
        let text: String
        if case .atom(let atom) = value {
            text = atom.name
        } else if !sequence.isUnicode, let bytes = value.bytes(upTo: limit) {
            text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        } else if let unicode = value.text(upTo: limit) {
            text = unicode
        } else {
            return nil
        }
        guard let length else { return text }
        return String(text.prefix(length))
    }

    private func integer(
        _ value: Term, _ sequence: ControlSequence, isUppercase: Bool
    ) -> String? {
        let base = sequence.precision ?? 10
        guard (2...36).contains(base) else { return nil }
        if let number = value.asInteger {
            return String(number, radix: base, uppercase: isUppercase)
        }
        guard base == 10, case .bigInteger = value else { return nil }
        return value.erlangText(maximumByteCount: remainingByteCount)
    }

    private func float(_ value: Term, _ sequence: ControlSequence) -> String? {
        guard let number = value.asFloat ?? value.asInteger.map(Double.init) else { return nil }
        let digits = sequence.precision ?? 6
        let text: String?
        switch sequence.control {
        case "f":
            text = Self.printed("%.*f", digits, number)
        case "g" where abs(number) >= 0.1 && abs(number) < 10_000:
            // `~g` counts all digits, those before the point too.
            let leading = [1.0, 10, 100, 1000].filter { abs(number) >= $0 }.count
            text = Self.printed("%.*f", max(digits - leading, 1), number)
        default:
            // `~e` counts all digits, C only those after the point. C's exponent has at least two
            // digits.
            text = Self.printed("%.*e", max(digits - 1, 1), number).map { text in
                guard let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }),
                    let exponent = Int(text[text.index(after: sign)...])
                else { return text }
                return "\(text[...sign])\(exponent)"
            }
        }
        return text.map { padded($0, sequence) }
    }

    private static func printed(_ format: String, _ digits: Int, _ number: Double) -> String? {
        var buffer = [CChar](repeating: 0, count: 512)
        let count = withVaList([Int32(digits), number]) {
            vsnprintf(&buffer, buffer.count, format, $0)
        }
        guard count >= 0, count < buffer.count else { return nil }
        return String(
            decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func prefixed(_ digits: String, _ prefix: String) -> String {
        digits.hasPrefix("-") ? "-" + prefix + digits.dropFirst() : prefix + digits
    }

    /// Fills the text up to the width, on the left unless the width is negative. Text that is too
    /// wide becomes stars.
    private func padded(_ text: String, _ sequence: ControlSequence) -> String {
        guard let width = sequence.width else { return text }
        let missing = abs(width) - text.count
        guard missing >= 0 else {
            return sequence.control == "s" ? text : String(repeating: "*", count: abs(width))
        }
        let padding = String(repeating: String(Character(sequence.padding)), count: missing)
        return width < 0 ? text + padding : padding + text
    }
}
