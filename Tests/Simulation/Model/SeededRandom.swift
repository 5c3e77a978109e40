/// Chance that a seed repeats exactly, on every machine: SplitMix64.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A generator of its own: what is drawn from it does not change what is drawn here later.
    package mutating func branch() -> SeededRandom {
        SeededRandom(seed: next())
    }

    /// `true` in `percent` of a hundred cases.
    package mutating func chance(_ percent: Int) -> Bool {
        Int(next() % 100) < percent
    }

    package mutating func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    /// To the millisecond.
    package mutating func duration(_ range: ClosedRange<Duration>) -> Duration {
        let (low, high) = (range.lowerBound.milliseconds, range.upperBound.milliseconds)
        return .milliseconds(int(low...high))
    }

    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        precondition(!elements.isEmpty, "Nothing to pick from")
        return elements[int(0...elements.count - 1)]
    }
}

extension Duration {
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
