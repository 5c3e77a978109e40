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
