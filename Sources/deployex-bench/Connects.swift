internal import ErlDist
internal import Transport

/// Connecting over TCP, EPMD's answer and handshake included, each time as a node that the BEAM has not
/// seen before: one that comes back at once may have to wait until its last connection is noticed gone.
struct Connects {
    private let peers: Peers
    private let effort: Effort

    init(_ peers: Peers, _ effort: Effort) {
        self.peers = peers
        self.effort = effort
    }

    func measure() async throws -> [Row] {
        var median = Series()
        var tail = Series()
        for round in 0...effort.rounds {
            let ours = Samples(try await times(round))
            let libei = Samples(try await peers.libei.connects(count: effort.connectCount).each)
            // The first round warms up.
            guard round > 0 else { continue }
            median.append(ours: ours.median / 1000, peer: libei.median / 1000)
            tail.append(ours: ours.quantile(0.9) / 1000, peer: libei.quantile(0.9) / 1000)
        }
        return [
            Row(
                measure: "connect over TCP, p50", unit: "µs", peer: "libei ei_connect",
                series: median, target: .atMost(1)),
            Row(
                measure: "connect over TCP, p90", unit: "µs", peer: "libei ei_connect",
                series: tail, target: nil),
        ]
    }

    /// Nanoseconds of each connection.
    private func times(_ round: Int) async throws -> [Double] {
        var times: [Double] = []
        for number in 0..<effort.connectCount {
            let node = try peers.makeNode("connect\(round)_\(number)")
            let start = MonotonicTime.now
            try await node.connect(to: peers.beam.name)
            times.append(Double((MonotonicTime.now - start).nanoseconds))
            await node.close()
        }
        return times
    }
}
