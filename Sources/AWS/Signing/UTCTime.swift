/// A moment in the calendar that AWS writes.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days and civil dates.
package enum UTCTime {
    /// `YYYYMMDDTHHMMSSZ`. The years are those of four digits.
    package static func basic(_ seconds: Int) -> String {
        let seconds = min(max(seconds, 0), 253_402_300_799)
        let days = seconds / 86_400
        let time = seconds % 86_400
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return digits(year, 4) + digits(month, 2) + digits(day, 2) + "T"
            + digits(time / 3_600, 2) + digits(time / 60 % 60, 2) + digits(time % 60, 2) + "Z"
    }

    /// The seconds since 1970 of `YYYY-MM-DDTHH:MM:SS`, with or without a fraction, then `Z` or
    /// an offset such as `+00:00`; `nil` for anything else.
    package static func seconds(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard (20...40).contains(bytes.count), bytes[4] == UInt8(ascii: "-"),
            bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]), let hour = number(bytes[11..<13]),
            let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            1...12 ~= month, 1...31 ~= day, hour < 24, minute < 60, second <= 60, year >= 1970
        else { return nil }
        var rest = bytes[19...]
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard let first = rest.first, isDigit(first) else { return nil }
            rest = rest.drop(while: isDigit)
        }
        guard let offset = offset(Array(rest)) else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days =
            shiftedYear / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100
            + dayOfYear - 719_468
        return days * 86_400 + hour * 3_600 + minute * 60 + second - offset
    }

    /// The seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`; `nil` for anything else.
    ///
    /// Source: RFC 9110, section 5.6.7.
    package static func seconds(httpDate text: String) -> Int? {
        let words = text.split(separator: " ")
        let names = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        guard words.count == 6, words[5] == "GMT", words[1].utf8.count == 2,
            words[3].utf8.count == 4, words[4].utf8.count == 8,
            let month = names.firstIndex(of: String(words[2]))
        else { return nil }
        return seconds("\(words[3])-\(digits(month + 1, 2))-\(words[1])T\(words[4])Z")
    }

    private static func offset(_ bytes: [UInt8]) -> Int? {
        if bytes == [UInt8(ascii: "Z")] { return 0 }
        guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), let hours = number(bytes[1..<3]),
            let minutes = number(bytes[4..<6]), hours < 24, minutes < 60
        else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "+"): return hours * 3_600 + minutes * 60
        case UInt8(ascii: "-"): return -(hours * 3_600 + minutes * 60)
        default: return nil
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.allSatisfy(isDigit) else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
