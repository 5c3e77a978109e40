/// The time that a line begins with, if it begins with one.
///
/// Known are `HH:MM:SS.mmm` as Elixir's Logger writes it, and ISO 8601 with or without a zone:
/// `2026-03-01T12:00:00.042Z`, `2026-03-01 12:00:00,042`. Colours and a `[` before it are skipped.
package enum LineStamp: Equatable, Sendable {
    /// Milliseconds since 1970.
    case moment(Int64)
    /// Milliseconds since 1970, as if the local time were UTC.
    case localMoment(Int64)
    /// Milliseconds since midnight, local time.
    case timeOfDay(Int64)

    package init?(_ line: ArraySlice<UInt8>) {
        var reader = StampReader(rest: line.prefix(96))
        reader.skipColours()
        if reader.takeIf("[") { reader.skipColours() }
        if let time = reader.attempt({ $0.timeOfDay(demandsFraction: true) }) {
            self = .timeOfDay(time)
        } else if let stamp = reader.attempt({ $0.moment() }) {
            self = stamp
        } else {
            return nil
        }
    }
}

private struct StampReader {
    var rest: ArraySlice<UInt8>

    mutating func takeIf(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// What `body` reads; if that is nothing, as if it had read nothing.
    mutating func attempt<Value>(_ body: (inout StampReader) -> Value?) -> Value? {
        var copy = self
        guard let value = body(&copy) else { return nil }
        self = copy
        return value
    }

    /// `ESC [ … m`. Source: ECMA-48, SGR.
    mutating func skipColours() {
        while rest.starts(with: [0x1B, 0x5B]), let end = rest.firstIndex(of: UInt8(ascii: "m")) {
            let parameters = rest[rest.startIndex..<end].dropFirst(2)
            guard parameters.allSatisfy({ 0x30...0x3B ~= $0 }) else { return }
            rest = rest[(end + 1)...]
        }
    }

    /// So many digits.
    mutating func number(_ count: Int, in range: ClosedRange<Int64>) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        rest = rest.dropFirst(count)
        let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        return range.contains(value) ? value : nil
    }

    mutating func timeOfDay(demandsFraction: Bool) -> Int64? {
        guard let hour = number(2, in: 0...23), takeIf(":"),
            let minute = number(2, in: 0...59), takeIf(":"),
            let second = number(2, in: 0...60)
        else { return nil }
        var milliseconds: Int64 = 0
        if takeIf(".") || takeIf(",") {
            let digits = rest.prefix { 0x30...0x39 ~= $0 }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            for index in 0..<3 {
                let digit = digits.dropFirst(index).first.map { Int64($0 - 0x30) } ?? 0
                milliseconds = milliseconds * 10 + digit
            }
        } else if demandsFraction {
            return nil
        }
        return ((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds
    }

    mutating func moment() -> LineStamp? {
        guard let year = number(4, in: 1970...9999), takeIf("-"),
            let month = number(2, in: 1...12), takeIf("-"),
            let day = number(2, in: 1...31), takeIf("T") || takeIf(" "),
            let time = timeOfDay(demandsFraction: false)
        else { return nil }
        let days = Self.days(year, month, day)
        let local = days * 86_400_000 + time
        if takeIf("Z") { return .moment(local) }
        let isEast = takeIf("+")
        guard isEast || takeIf("-") else { return .localMoment(local) }
        guard let hours = number(2, in: 0...23) else { return .localMoment(local) }
        _ = takeIf(":")
        let minutes = number(2, in: 0...59) ?? 0
        let offset = (hours * 60 + minutes) * 60_000
        return .moment(isEast ? local - offset : local + offset)
    }

    /// Days since 1970-01-01 in the Gregorian calendar; the year begins in March here, so that the
    /// leap day comes last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let years = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
    }
}
