internal import ErlDist
internal import TestKit
internal import Transport

/// Connecting, EPMD's answer and handshake included, each time as a node that the BEAM has not
/// seen before: one that comes back at once may have to wait until its last connection is noticed gone.
enum Connects {
    static func measure(_ peers: Peers) async throws -> [Row] {
        try await measureTCP(peers) + TLSPeers.with(peers) { try await measureTLS(peers, $0) }
    }

    private static func measureTCP(_ peers: Peers) async throws -> [Row] {
        let effort = peers.effort
        var median = Series()
        var tail = Series()
        for round in 0...effort.rounds {
            let ours = Samples(
                try await times(peers, round, to: peers.beam.name, .tcp, count: effort.connectCount)
            )
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

    private static func measureTLS(_ peers: Peers, _ beam: BeamPeer) async throws -> [Row] {
        let effort = peers.effort
        let rival = try await peers.startBeam("rival_connecting", over: .tls, on: .ours)
        defer { rival.process.end() }
        var series = Series()
        for round in 0...effort.rounds {
            let ours = Samples(
                try await times(peers, round, to: beam.name, .tls, count: effort.tlsConnectCount))
            var theirs: [Double] = []
            for _ in 0..<effort.tlsConnectCount {
                theirs.append(Double(try await rival.connectTime(to: beam.name).nanoseconds))
                // Another connection by the same name waits for the end of the last one.
                while try await beam.isConnected(to: rival.name) {}
            }
            guard round > 0 else { continue }
            series.append(ours: ours.median / 1000, peer: Samples(theirs).median / 1000)
        }
        return [
            Row(
                measure: "connect over TLS, p50", unit: "µs", peer: "BEAM", series: series,
                target: .atMost(1))
        ]
    }

    /// Nanoseconds of each connection.
    private static func times(
        _ peers: Peers, _ round: Int, to name: NodeName, _ wire: Wire, count: Int
    ) async throws -> [Double] {
        var times: [Double] = []
        for number in 0..<count {
            let node = try peers.makeNode("connect\(round)_\(number)", over: wire)
            let start = MonotonicTime.now
            try await node.connect(to: name)
            times.append(Double((MonotonicTime.now - start).nanoseconds))
            await node.close()
        }
        return times
    }
}
