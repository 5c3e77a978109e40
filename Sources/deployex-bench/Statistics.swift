/// Order statistics of samples.
struct Samples {
    private let sorted: [Double]

    init(_ values: [Double]) {
        precondition(!values.isEmpty, "There is no median of nothing")
        sorted = values.sorted()
    }

    var median: Double { quantile(0.5) }

    /// The smallest sample that at least this share of all samples does not exceed.
    func quantile(_ share: Double) -> Double {
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}

/// One figure, round by round, of ours and of what it is measured against.
///
/// A round's ratio compares what was measured right after each other, so that a change of the machine's
/// other load between rounds cancels out; the median of the ratios is the result.
struct Series {
    var ours: [Double] = []
    var peer: [Double] = []

    mutating func append(ours: Double, peer: Double) {
        self.ours.append(ours)
        self.peer.append(peer)
    }

    var ratios: [Double] { zip(ours, peer).map { $0 / $1 } }
}
