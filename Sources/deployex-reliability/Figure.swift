internal import Transport

/// One line of the result.
struct Figure: Sendable {
    var name: String
    var value: String
    /// What the value is to be; `nil` for a figure that is only shown.
    var target: String?
    var isMet: Bool?

    init(_ name: String, _ value: String, target: String? = nil, isMet: Bool? = nil) {
        self.name = name
        self.value = value
        self.target = target
        self.isMet = isMet
    }

    /// A count that is to be 0.
    init(none name: String, _ count: Int, of total: String) {
        self.init(name, "\(count) of \(total)", target: "0", isMet: count == 0)
    }

    /// Times, of which the 99th percentile is to be below `bound`.
    init(_ name: String, _ times: [Duration], p99Below bound: Duration) {
        guard !times.isEmpty else {
            self.init(name, "never seen", target: "p99 < \(Self.text(bound))", isMet: false)
            return
        }
        let samples = Samples(times.map { Double($0.nanoseconds) })
        let shown = [("p50", 0.5), ("p99", 0.99), ("max", 1)].map { label, share in
            "\(label) \(Self.text(.nanoseconds(Int64(samples.quantile(share)))))"
        }
        self.init(
            name, shown.joined(separator: ", ") + " of \(times.count)",
            target: "p99 < \(Self.text(bound))",
            isMet: samples.quantile(0.99) < Double(bound.nanoseconds))
    }

    var line: String {
        let verdict = isMet.map { $0 ? "met    " : "NOT MET" } ?? "       "
        return "\(verdict)  \(name): \(value)" + (target.map { "  [target: \($0)]" } ?? "")
    }

    /// `37 ms`, `0.4 ms`, `1.8 s`.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.inSeconds * 1000
        if milliseconds >= 1000 { return "\(decimal(milliseconds / 1000, digits: 2)) s" }
        return "\(decimal(milliseconds, digits: milliseconds < 10 ? 1 : 0)) ms"
    }

    static func decimal(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((value * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int(scale))
        let tail = String(fraction)
        return "\(whole).\(String(repeating: "0", count: digits - tail.count))\(tail)"
    }
}

/// Order statistics of samples.
struct Samples {
    private let sorted: [Double]

    init(_ values: [Double]) {
        precondition(!values.isEmpty, "There is no median of nothing")
        sorted = values.sorted()
    }

    /// The smallest sample that at least this share of all samples does not exceed.
    func quantile(_ share: Double) -> Double {
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}

/// A generator whose sequence its seed decides. Source: SplitMix64 (Steele, Lea, Flood, 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
