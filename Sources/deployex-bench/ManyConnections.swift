internal import EPMD
internal import ErlDist
internal import Glibc
internal import TestKit
internal import Transport

/// Thousands of connections that do nothing but tick, between two processes of ours: what they take in
/// the one that has accepted them.
enum ManyConnections {
    /// Of both sides. Ticks are due after each quarter of it: that is a round.
    private static let tickSeconds = 8
    /// The time between ticks with the usual 60 s.
    private static let usualRound = Duration.seconds(15)

    static func measure(_ peers: Peers) async throws -> [Row] {
        try await measure(peers, .tcp, limit: 8) + measure(peers, .tls, limit: 100)
    }

    private static func measure(
        _ peers: Peers, _ wire: Wire, limit: Double
    ) async throws -> [Row] {
        let count = peers.effort.manyConnections
        let tls = wire == .tls ? [Wire.optionsFile(peers.folder)] : []
        let name = "holding_\(wire)"
        let holder = try start(["idle", name, "\(peers.epmdPort)", "\(tickSeconds)"] + tls)
        defer { holder.end() }
        _ = try await holder.nextLine()
        let before = try resident(holder)
        let dialler = try start(
            ["dial", name, "\(peers.epmdPort)", "\(tickSeconds)", "\(count)"] + tls)
        defer { dialler.end() }
        _ = try await dialler.nextLine()
        // A whole round, for all to have come to rest.
        let round = Duration.seconds(tickSeconds) / 4
        await peers.loop.sleep(for: round)
        let start = try holder.processorTime()
        await peers.loop.sleep(for: round)
        let used = try holder.processorTime() - start
        let added = try resident(holder) - before
        return [
            Row(
                measure: "\(count) connections over \(wire.rawValue), memory added", unit: "MB",
                peer: "", series: Series(ours: [added], peer: []), target: .oursBelow(limit)),
            Row(
                measure: "\(count) connections over \(wire.rawValue), ticking", unit: "% of a core",
                peer: "",
                series: Series(
                    ours: [100 * used.inSeconds / usualRound.inSeconds], peer: []),
                target: .oursBelow(1)),
        ]
    }

    private static func start(_ arguments: [String]) throws -> ChildProcess {
        try Processors.all.start("/proc/\(getpid())/exe", arguments)
    }

    private static func resident(_ child: ChildProcess) throws(TestFailure) -> Double {
        Double(try child.residentByteCount()) / 1e6
    }

    /// Connects so many nodes to one, then says so and does nothing more until stdin ends.
    static func dial(_ options: NodeOptions, on loop: EventLoop) async throws {
        let wire: Wire = options.tlsOptionsFile == nil ? .tcp : .tls
        let epmd = EPMDClient(address: .loopback(port: options.epmdPort), loop: loop)
        let name = try NodeName("\(options.name)@\(wire.host)")
        // Where it listens is asked once.
        let address = try await epmd.lookUp(name: name.alive).port
        let configuration = try options.configuration()
        var nodes: [Node] = []
        for number in 0..<options.count {
            let node = Node(
                name: try NodeName("dialling\(number)@\(wire.host)"), cookie: "idle", loop: loop,
                configuration: configuration,
                resolver: { _ in [.loopback(port: address)] })
            try await node.connect(to: name)
            nodes.append(node)
        }
        for node in nodes where await node.connectedNodes.isEmpty {
            throw TestFailure("\(name) does not hold \(options.count) connections")
        }
        await IdleNode.sayReadyAndWait(on: loop)
        for node in nodes { await node.close() }
    }
}
