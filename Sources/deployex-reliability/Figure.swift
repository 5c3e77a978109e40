internal import TestKit
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
}
