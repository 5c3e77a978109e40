internal import ErlDist
internal import ExternalTermFormat
internal import TestKit
internal import Transport

/// Messages in one direction between a BEAM and us, and between it and another BEAM: how many a second,
/// from before the first is sent until the receiver says that it has the last.
///
/// The receiver's own first message would be too late a beginning: it may come together with many others.
/// The other BEAM runs where we do, so that nothing but the software is different.
struct MessageFlow {
    /// The receiver's name on every node.
    static let sink: Atom = "bench_sink"

    let count: Int
    /// Of each message's binary; 0 for a small number.
    let byteCount: Int
    private let beam: BeamPeer
    private let rival: BeamPeer
    private let node: NodeName
    private let process: ErlangProcess

    /// - Parameter node: is connected to `beam` from here on.
    init(
        between beam: BeamPeer, and node: Node, rival: BeamPeer, count: Int, byteCount: Int
    ) async throws {
        guard let name = await node.name else { throw TestFailure("the node has no name") }
        self.beam = beam
        self.rival = rival
        self.count = count
        self.byteCount = byteCount
        self.node = name
        try await node.connect(to: beam.name)
        process = await node.spawnProcess()
        try await process.register(Self.sink)
    }

    /// Messages per second, or megabytes when they are large.
    func rate(_ transfer: () async throws -> Void) async throws -> Double {
        let start = MonotonicTime.now
        try await transfer()
        let amount = Double(count) * (byteCount == 0 ? 1 : Double(byteCount) / 1e6)
        return amount / (MonotonicTime.now - start).inSeconds
    }

    /// From us, or whoever `send` stands for, to the BEAM.
    func toBeam(_ send: () async throws -> Void) async throws -> Double {
        try await beam.startSink(count: count)
        return try await rate {
            try await send()
            try await beam.awaitSink()
        }
    }

    func oursToBeam() async throws -> Double {
        let binary = Term.binary([UInt8](repeating: 7, count: byteCount))
        return try await toBeam {
            for number in 0..<count {
                let content = byteCount == 0 ? .integer(number) : binary
                try await process.send(
                    .tuple([.atom("sample"), content]), to: .name(Self.sink, beam.name))
            }
        }
    }

    func rivalToBeam() async throws -> Double {
        try await toBeam {
            try await rival.flood(beam.name, count: count, byteCount: byteCount)
        }
    }

    func beamToOurs() async throws -> Double {
        try await rate {
            async let sent: Void = beam.flood(node, count: count, byteCount: byteCount)
            for _ in 0..<count { _ = try await process.receive(timeout: .seconds(20)) }
            try await sent
        }
    }

    func beamToRival() async throws -> Double {
        try await rival.startSink(count: count)
        return try await rate {
            try await beam.flood(rival.name, count: count, byteCount: byteCount)
            try await rival.awaitSink()
        }
    }
}

/// Small messages one way, against the better of libei and another BEAM.
struct SmallMessages {
    private let peers: Peers
    private let effort: Effort

    init(_ peers: Peers, _ effort: Effort) {
        self.peers = peers
        self.effort = effort
    }

    func measure() async throws -> [Row] {
        let rival = try await peers.startBeam("rival", over: .tcp, on: .ours)
        defer { rival.process.end() }
        let node = try peers.makeNode("small")
        let flow = try await MessageFlow(
            between: peers.beam, and: node, rival: rival, count: effort.messageCount, byteCount: 0)
        var toBeam = Series()
        var fromBeam = Series()
        for round in 0...effort.rounds {
            let sent = (ours: try await flow.oursToBeam(), peer: try await othersToBeam(flow))
            let received = (ours: try await flow.beamToOurs(), peer: try await beamToOthers(flow))
            // The first round warms up.
            guard round > 0 else { continue }
            toBeam.append(ours: sent.ours / 1000, peer: sent.peer / 1000)
            fromBeam.append(ours: received.ours / 1000, peer: received.peer / 1000)
        }
        await node.close()
        func row(_ direction: String, _ series: Series) -> Row {
            Row(
                measure: "small messages, \(direction)", unit: "1000/s",
                peer: "libei or BEAM, the better", series: series, target: .atLeast(1))
        }
        return [row("to a BEAM", toBeam), row("from a BEAM", fromBeam)]
    }

    private func othersToBeam(_ flow: MessageFlow) async throws -> Double {
        let libei = try await flow.toBeam { try await peers.libei.send(count: flow.count) }
        return max(libei, try await flow.rivalToBeam())
    }

    private func beamToOthers(_ flow: MessageFlow) async throws -> Double {
        let name = try await peers.libei.name()
        try peers.libei.startReceiving(count: flow.count)
        let libei = try await flow.rate {
            try await peers.beam.flood(name, count: flow.count, byteCount: 0)
            try await peers.libei.awaitReceived()
        }
        return max(libei, try await flow.beamToRival())
    }
}

/// Messages with 1 MiB, against two BEAMs.
struct LargeMessages {
    private let peers: Peers
    private let effort: Effort

    init(_ peers: Peers, _ effort: Effort) {
        self.peers = peers
        self.effort = effort
    }

    func measure() async throws -> [Row] {
        try await measure(.tcp, peers.beam)
            + TLSPeers.with(peers) { try await measure(.tls, $0) }
    }

    private func measure(_ wire: Wire, _ beam: BeamPeer) async throws -> [Row] {
        let rival = try await peers.startBeam("rival_\(wire)", over: wire, on: .ours)
        defer { rival.process.end() }
        let node = try peers.makeNode("large_\(wire)", over: wire)
        let flow = try await MessageFlow(
            between: beam, and: node, rival: rival, count: effort.largeMessageCount,
            byteCount: 1 << 20)
        var toBeam = Series()
        var fromBeam = Series()
        for round in 0...effort.largeRounds {
            let sent = try await flow.oursToBeam()
            let sentByRival = try await flow.rivalToBeam()
            let received = try await flow.beamToOurs()
            let receivedByRival = try await flow.beamToRival()
            // The first round warms up.
            guard round > 0 else { continue }
            toBeam.append(ours: sent, peer: sentByRival)
            fromBeam.append(ours: received, peer: receivedByRival)
        }
        await node.close()
        func row(_ direction: String, _ series: Series) -> Row {
            Row(
                measure: "1 MiB messages over \(wire.rawValue), \(direction)", unit: "MB/s",
                peer: "BEAM", series: series, target: .atLeast(1))
        }
        return [row("to a BEAM", toBeam), row("from a BEAM", fromBeam)]
    }
}

/// The BEAM that speaks TLS, which not every run needs.
enum TLSPeers {
    static func with<Result>(
        _ peers: Peers, _ body: (BeamPeer) async throws -> Result
    ) async throws -> Result {
        let beam = try await peers.startBeam("secure", over: .tls, on: .others)
        defer { beam.process.end() }
        return try await body(beam)
    }
}
