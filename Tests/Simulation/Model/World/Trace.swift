internal import Transport

/// What happened in a run, line by line, when somebody wants to read it.
package struct Trace: Sendable {
    package let isKept: Bool
    package private(set) var lines: [String] = []
    /// Of all that was noted, kept or not: two runs that did the same have the same.
    package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

    init(isKept: Bool) {
        self.isKept = isKept
    }

    mutating func note(_ now: MonotonicTime, _ text: @autoclosure () -> String) {
        digest = (digest ^ UInt64(bitPattern: now.nanoseconds)) &* 0x100_0000_01b3
        guard isKept else { return }
        let milliseconds = now.nanoseconds / 1_000_000
        let rest = String(1000 + milliseconds % 1000).dropFirst()
        lines.append("\(milliseconds / 1000).\(rest) \(text())")
    }
}
