// Floats the way Erlang writes them.

extension TextWriter {
    /// Writes the fewest digits that read back as the same float, with an exponent if that is
    /// shorter.
    ///
    /// Source: `io_lib_format:fwrite_g/1` and `float_to_list(Float, [short])` as of OTP 25.
    mutating func write(_ value: Double) {
        // Infinities and NaN are not Erlang: no Erlang float has these values.
        guard value.isFinite else {
            append(value.description)
            return
        }
        if value.sign == .minus { append("-") }
        guard value != 0 else {
            append("0.0")
            return
        }
        let (digits, point) = Self.shortestDigits(of: value.magnitude)
        let exponent = String(point - 1)
        // How many more characters "d.ddde±x" takes than the digits.
        let exponentCost = exponent.utf8.count + 1 + (digits.count == 1 ? 2 : 1)
        // Above this not every integer is a float, so writing all digits would claim too much.
        let isExactInteger = value.magnitude < 9_007_199_254_740_992
        if point <= 0, 2 - point <= exponentCost {
            append("0.")
            append(contentsOf: repeatElement(UInt8(ascii: "0"), count: -point))
            append(contentsOf: digits)
        } else if point >= digits.count, isExactInteger, point - digits.count + 2 <= exponentCost {
            append(contentsOf: digits)
            append(
                contentsOf: repeatElement(UInt8(ascii: "0"), count: point - digits.count))
            append(".0")
        } else if point > 0, point < digits.count {
            append(contentsOf: digits[..<point])
            append(".")
            append(contentsOf: digits[point...])
        } else {
            append(digits[0])
            append(".")
            if digits.count == 1 { append("0") }
            append(contentsOf: digits[1...])
            append("e")
            append(exponent)
        }
    }

    /// The digits without zeros at either end, and how many of them precede the decimal point.
    private static func shortestDigits(of value: Double) -> (digits: [UInt8], point: Int) {
        // Swift writes the shortest digits too, but places the point differently.
        var digits: [UInt8] = []
        var point: Int?
        var exponent = 0
        let text = value.description.utf8
        for (index, byte) in zip(text.indices, text) {
            if byte == UInt8(ascii: ".") {
                point = digits.count
            } else if byte == UInt8(ascii: "e") {
                exponent = Int(String(text[text.index(after: index)...]) ?? "") ?? 0
                break
            } else {
                digits.append(byte)
            }
        }
        var position = (point ?? digits.count) + exponent
        while digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            position -= 1
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (digits, position)
    }
}
