/// The names of the files beside a log `NAME.log` that belong to it.
///
/// A piece is named after the position where it begins in all that was ever written:
/// `NAME.log.000000000000000`, then, say, `NAME.log.000000010485760`. So the names sort by age, no
/// name ever changes, and the newest one tells where the bytes in `NAME.log` itself begin.
enum LogPieceName: Equatable {
    /// Bytes from `start` on that are no longer in the log.
    case piece(start: Int64)
    /// A complete and durable copy of the log's head. The head begins at byte `position` of the
    /// file and may still be there or not.
    case rotating(start: Int64, position: Int64)
    /// An unfinished copy.
    case copying

    /// The part after the log's own name.
    var suffix: String {
        switch self {
        case .piece(let start): "." + start.padded(to: Self.digitCount)
        case .rotating(let start, let position):
            ".rotating-\(start.padded(to: Self.digitCount))-\(position)"
        case .copying: ".copying"
        }
    }

    /// `nil` for names that are not ours, such as logrotate's `NAME.log.1` and `NAME.log-20260101`,
    /// and for numbers that no log reaches: computing with ours never overflows.
    init?(_ name: String, of log: String) {
        guard name.hasPrefix(log + ".") else { return nil }
        let rest = name.dropFirst(log.count + 1)
        if rest == "copying" {
            self = .copying
        } else if let start = Self.number(rest, digits: Self.digitCount...Self.maximumDigitCount) {
            self = .piece(start: start)
        } else {
            let parts = rest.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "rotating",
                let start = Self.number(parts[1], digits: Self.digitCount...Self.maximumDigitCount),
                let position = Self.number(parts[2], digits: 1...Self.maximumDigitCount)
            else { return nil }
            self = .rotating(start: start, position: position)
        }
        // A number with extra zeros would be looked for under another name.
        guard suffix.dropFirst() == rest else { return nil }
    }

    /// Enough for a petabyte.
    private static let digitCount = 15
    /// A limit at which sums of two such numbers and a log's size (``OpenedLog/maximumByteCount``)
    /// fit.
    private static let maximumDigitCount = 18

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ 48...57 ~= $0 }) else {
            return nil
        }
        return Int64(text)
    }
}
