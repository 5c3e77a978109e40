internal import ErlDist
internal import ExternalTermFormat
internal import TestKit
internal import Transport

/// One call after another: ours as a spawn request and by `rex`, libei's `ei_rpc`, to the same BEAM.
enum RoundTrips {
    private struct Function: Sendable {
        var label: String
        /// What the C program calls it.
        var key: String
        var module: Atom
        var name: Atom
        var arguments: [Term]
    }

    private static let functions = [
        Function(
            label: "erlang:node()", key: "node", module: "erlang", name: "node", arguments: []),
        Function(
            label: "lists:reverse([1,2,3])", key: "reverse", module: "lists", name: "reverse",
            arguments: [[1, 2, 3]]),
    ]

    static func measure(_ peers: Peers) async throws -> [Row] {
        let spawning = try peers.makeNode("spawning")
        let rex = try peers.makeNode("rex", flags: .standard.subtracting(.spawn))
        var rows: [Row] = []
        for function in functions {
            rows += try await measure(peers, function, spawning, rex)
        }
        await spawning.close()
        await rex.close()
        return rows
    }

    private static func measure(
        _ peers: Peers, _ function: Function, _ spawning: Node, _ rex: Node
    ) async throws -> [Row] {
        let effort = peers.effort
        var spawnMedian = Series()
        var spawnTail = Series()
        var rexMedian = Series()
        var rexTail = Series()
        // Connects, and warms up all three.
        _ = try await times(peers, of: function, spawning)
        _ = try await times(peers, of: function, rex)
        _ = try await peers.libei.calls(function.key, count: effort.callCount)
        let start = Instructions.total
        _ = try await times(peers, of: function, spawning)
        let bySpawning = Instructions.each(since: start, effort.callCount)
        let startOfRex = Instructions.total
        _ = try await times(peers, of: function, rex)
        let byRex = Instructions.each(since: startOfRex, effort.callCount)
        for _ in 0..<effort.callRounds {
            let ours = Samples(try await times(peers, of: function, spawning))
            let libei = Samples(
                try await peers.libei.calls(function.key, count: effort.callCount).each)
            let oursByRex = Samples(try await times(peers, of: function, rex))
            spawnMedian.append(ours: ours.median / 1000, peer: libei.median / 1000)
            spawnTail.append(ours: ours.quantile(0.99) / 1000, peer: libei.quantile(0.99) / 1000)
            rexMedian.append(ours: oursByRex.median / 1000, peer: libei.median / 1000)
            rexTail.append(ours: oursByRex.quantile(0.99) / 1000, peer: libei.quantile(0.99) / 1000)
        }
        func row(
            _ figure: String, _ series: Series, _ target: Row.Target?,
            _ instructions: Double? = nil
        ) -> Row {
            Row(
                measure: "call \(function.label), \(figure)", unit: "µs", peer: "libei ei_rpc",
                series: series, target: target, instructions: instructions)
        }
        return [
            row("p50", spawnMedian, .atMost(1.05), bySpawning),
            row("p99", spawnTail, .atMost(1.2)),
            row("by rex, p50", rexMedian, nil, byRex), row("by rex, p99", rexTail, nil),
        ]
    }

    /// Nanoseconds of each call.
    private static func times(
        _ peers: Peers, of function: Function, _ node: Node
    ) async throws -> [Double] {
        try await Caller(loop: peers.loop).times(of: function, node, peers.beam.name, peers.effort)
    }

    /// Calls from where deployex does: an actor that lives on the loop.
    private actor Caller {
        private let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        init(loop: EventLoop) {
            self.loop = loop
        }

        func times(
            of function: Function, _ node: Node, _ peer: NodeName, _ effort: Effort
        ) async throws -> [Double] {
            var times: [Double] = []
            times.reserveCapacity(effort.callCount)
            var before = MonotonicTime.now
            for _ in 0..<effort.callCount {
                _ = try await node.call(
                    peer, function.module, function.name, function.arguments,
                    timeout: .seconds(10))
                let after = MonotonicTime.now
                times.append(Double(after.nanoseconds - before.nanoseconds))
                before = after
            }
            return times
        }
    }
}

/// 64 calls in flight on one connection, against one after another with libei, which can do no more.
enum Concurrency {
    private static let inFlight = 64

    static func measure(_ peers: Peers) async throws -> [Row] {
        let effort = peers.effort
        let node = try peers.makeNode("concurrent")
        var series = Series()
        _ = try await callsPerSecond(peers, node)
        _ = try await peers.libei.calls("reverse", count: effort.callCount)
        for _ in 0..<effort.callRounds {
            let ours = try await callsPerSecond(peers, node)
            let libei = try await peers.libei.calls("reverse", count: effort.callCount)
            series.append(ours: ours / 1000, peer: Double(effort.callCount) * 1e6 / libei.total)
        }
        await node.close()
        return [
            Row(
                measure: "\(inFlight) calls in flight", unit: "1000/s",
                peer: "libei, one at a time", series: series, target: .atLeast(3))
        ]
    }

    private static func callsPerSecond(_ peers: Peers, _ node: Node) async throws -> Double {
        let each = max(peers.effort.callCount * 4, 1024) / inFlight
        let peer = peers.beam.name
        let start = MonotonicTime.now
        try await withThrowingTaskGroup { group in
            for _ in 0..<inFlight {
                group.addTask(executorPreference: peers.loop) {
                    for _ in 0..<each {
                        _ = try await node.call(
                            peer, "lists", "reverse", [[1, 2, 3]], timeout: .seconds(10))
                    }
                }
            }
            try await group.waitForAll()
        }
        return Double(each * inFlight) / (MonotonicTime.now - start).inSeconds
    }
}
