/// Order statistics of samples.
package struct Samples {
    private let sorted: [Double]

    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "There is no median of nothing")
        sorted = values.sorted()
    }

    package var median: Double { quantile(0.5) }

    /// The smallest sample that at least this share of all samples does not exceed.
    package func quantile(_ share: Double) -> Double {
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}

/// A number for people, with so many digits after the point.
package func decimal(_ value: Double, digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int(scale))
    let sign = value < 0 && scaled != 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let tail = String(fraction)
    return "\(sign)\(whole).\(String(repeating: "0", count: digits - tail.count))\(tail)"
}
