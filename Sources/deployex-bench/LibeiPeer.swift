internal import ErlDist

/// The C program that does the same through libei. See `bench/libei_peer.c` for what it understands.
struct LibeiPeer: Sendable {
    let process: Child

    /// The times of single operations, in nanoseconds, and of all together.
    struct Times {
        var total: Double
        var each: [Double]
    }

    init(folder: String, node: NodeName, cookie: String, epmdPort: UInt16) throws(BenchError) {
        process = try Child(
            "\(folder)/libei-peer", [node.description, cookie],
            environment: ["ERL_EPMD_PORT": "\(epmdPort)"])
    }

    func calls(_ function: String, count: Int) async throws -> Times {
        try await ask("call \(function) \(count)")
    }

    func connects(count: Int) async throws -> Times {
        try await ask("connect \(count)")
    }

    /// How long so many decodings of a sample into a tree of its own take, release included.
    func decode(_ sample: String, count: Int) async throws -> Duration {
        .nanoseconds(Int64(try await ask("decode \(sample) \(count)").total))
    }

    private func ask(_ command: String) async throws -> Times {
        try process.send(command)
        let words = try await process.line().split(separator: " ")
        let numbers = words.dropFirst().compactMap { Double($0) }
        guard words.first == "ok", let total = numbers.first, numbers.count == words.count - 1
        else { throw BenchError("libei: \(words.dropFirst().joined(separator: " "))") }
        return Times(total: total, each: Array(numbers.dropFirst()))
    }
}
