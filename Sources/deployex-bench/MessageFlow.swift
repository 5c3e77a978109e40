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

    /// The rounds of both directions. What they are measured against sends and receives in turn
    /// with us.
    static func measure(
        _ name: String, unit: String, of peers: Peers, between beam: BeamPeer, over wire: Wire,
        rounds: Int, count: Int, byteCount: Int, against peer: String,
        toBeam othersToBeam: (MessageFlow) async throws -> Double,
        fromBeam beamToOthers: (MessageFlow) async throws -> Double
    ) async throws -> [Row] {
        let rival = try await peers.startBeam("rival_\(wire)_\(byteCount)", over: wire, on: .ours)
        defer { rival.process.end() }
        let node = try peers.makeNode("messages_\(wire)_\(byteCount)", over: wire)
        let flow = try await MessageFlow(
            between: beam, and: node, rival: rival, count: count, byteCount: byteCount)
        var toBeam = Series()
        var fromBeam = Series()
        var instructions: (toBeam: Double?, fromBeam: Double?)
        for round in 0...rounds {
            let beforeSending = Instructions.total
            let oursSent = try await flow.oursToBeam()
            instructions.toBeam = Instructions.each(since: beforeSending, count)
            let sent = (ours: oursSent, peer: try await othersToBeam(flow))
            let beforeReceiving = Instructions.total
            let oursReceived = try await flow.beamToOurs()
            instructions.fromBeam = Instructions.each(since: beforeReceiving, count)
            let received = (ours: oursReceived, peer: try await beamToOthers(flow))
            // The first round warms up.
            guard round > 0 else { continue }
            toBeam.append(ours: sent.ours, peer: sent.peer)
            fromBeam.append(ours: received.ours, peer: received.peer)
        }
        await node.close()
        func row(_ direction: String, _ series: Series, _ instructions: Double?) -> Row {
            Row(
                measure: "\(name), \(direction)", unit: unit, peer: peer, series: series,
                target: .atLeast(1), instructions: instructions)
        }
        return [
            row("to a BEAM", toBeam, instructions.toBeam),
            row("from a BEAM", fromBeam, instructions.fromBeam),
        ]
    }

    /// Thousands of messages per second, or megabytes when they are large.
    func rate(_ transfer: () async throws -> Void) async throws -> Double {
        let start = MonotonicTime.now
        try await transfer()
        let amount = Double(count) * (byteCount == 0 ? 1e-3 : Double(byteCount) / 1e6)
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
enum SmallMessages {
    static func measure(_ peers: Peers) async throws -> [Row] {
        try await MessageFlow.measure(
            "small messages", unit: "1000/s", of: peers, between: peers.beam, over: .tcp,
            rounds: peers.effort.rounds, count: peers.effort.messageCount, byteCount: 0,
            against: "libei or BEAM, the better"
        ) { flow in
            let libei = try await flow.toBeam { try await peers.libei.send(count: flow.count) }
            return max(libei, try await flow.rivalToBeam())
        } fromBeam: { flow in
            let name = try await peers.libei.name()
            try peers.libei.startReceiving(count: flow.count)
            let libei = try await flow.rate {
                try await peers.beam.flood(name, count: flow.count, byteCount: 0)
                try await peers.libei.awaitReceived()
            }
            return max(libei, try await flow.beamToRival())
        }
    }
}

/// Messages with 1 MiB, against two BEAMs.
enum LargeMessages {
    static func measure(_ peers: Peers) async throws -> [Row] {
        try await measure(peers, peers.beam, over: .tcp)
            + TLSPeers.with(peers) { try await measure(peers, $0, over: .tls) }
    }

    private static func measure(
        _ peers: Peers, _ beam: BeamPeer, over wire: Wire
    ) async throws -> [Row] {
        try await MessageFlow.measure(
            "1 MiB messages over \(wire.rawValue)", unit: "MB/s", of: peers, between: beam,
            over: wire, rounds: peers.effort.largeRounds, count: peers.effort.largeMessageCount,
            byteCount: 1 << 20, against: "BEAM"
        ) {
            try await $0.rivalToBeam()
        } fromBeam: {
            try await $0.beamToRival()
        }
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
