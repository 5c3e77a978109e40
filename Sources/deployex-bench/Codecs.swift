internal import ExternalTermFormat
internal import TestKit
internal import Transport

/// Decoding and encoding the same bytes as the BEAM and libei do, which time themselves.
enum Codecs {
    private struct Sample {
        var name: Atom
        var label: String
    }

    private static let samples = [
        Sample(name: "rpc_answer", label: "answer of a call"),
        Sample(name: "small_integers", label: "small integers"),
        Sample(name: "maps", label: "10,000 maps"),
        Sample(name: "binary", label: "binary"),
    ]

    static func measure(_ peers: Peers) async throws -> [Row] {
        var decoding: [Row] = []
        var encoding: [Row] = []
        for sample in samples {
            let bytes = try await peers.beam.sample(sample.name)
            let term = try Term(decoding: bytes)
            guard term.encoded() == bytes else {
                throw TestFailure("encoding \(sample.label) does not give back the BEAM's bytes")
            }
            let label = "\(sample.label), \(bytes.count / 1000) kB"
            let decode = { _ = Blackhole.take(try Term(decoding: bytes)) }
            let encode = { _ = Blackhole.take(term.encoded()) }
            decoding.append(
                Row(
                    measure: "decode \(label)", unit: "MB/s", peer: "binary_to_term",
                    series: try await series(peers.effort, byteCount: bytes.count, decode) {
                        try await peers.beam.codec("decode", sample.name, iterations: $0)
                    }, target: .atLeast(2), instructions: try instructions(decode)))
            decoding.append(
                Row(
                    measure: "decode \(label)", unit: "MB/s", peer: "libei, into a tree",
                    series: try await series(peers.effort, byteCount: bytes.count, decode) {
                        try await peers.libei.decode(sample.name.name, count: $0)
                    }))
            encoding.append(
                Row(
                    measure: "encode \(label)", unit: "MB/s", peer: "term_to_binary",
                    series: try await series(peers.effort, byteCount: bytes.count, encode) {
                        try await peers.beam.codec("encode", sample.name, iterations: $0)
                    }, target: .atLeast(1), instructions: try instructions(encode)))
        }
        return decoding + encoding
    }

    /// Rounds of ours and of a peer that is told how many iterations to time.
    private static func series(
        _ effort: Effort, byteCount: Int, _ body: () throws -> Void,
        peer timePeer: (Int) async throws -> Duration
    ) async throws -> Series {
        var series = Series()
        // As many iterations as fill a turn, for each side by its own speed.
        let ours = iterations(of: try time(3, body) / 3, effort)
        let peer = iterations(of: try await timePeer(3) / 3, effort)
        for _ in 0..<effort.rounds {
            let ourTime = try time(ours, body)
            let peerTime = try await timePeer(peer)
            let megabytes = Double(byteCount) / 1e6
            series.append(
                ours: megabytes * Double(ours) / ourTime.inSeconds,
                peer: megabytes * Double(peer) / peerTime.inSeconds)
        }
        return series
    }

    private static func instructions(_ body: () throws -> Void) throws -> Double? {
        let start = Instructions.total
        for _ in 0..<10 { try body() }
        return Instructions.each(since: start, 10)
    }

    private static func iterations(of one: Duration, _ effort: Effort) -> Int {
        max(2, Int(effort.codecTurn.inSeconds / max(one.inSeconds, 1e-9)))
    }

    private static func time(_ iterations: Int, _ body: () throws -> Void) throws -> Duration {
        let start = MonotonicTime.now
        for _ in 0..<iterations { try body() }
        return MonotonicTime.now - start
    }
}

/// Where results go that nobody needs, so that the optimiser does not drop what made them.
enum Blackhole {
    @inline(never) @_optimize(none)
    static func take<Value>(_ value: Value) -> Bool { true }
}
