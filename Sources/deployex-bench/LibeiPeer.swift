internal import ErlDist
internal import TestKit

/// The C program that does the same through libei. See `bench/libei_peer.c` for what it understands.
struct LibeiPeer: Sendable {
    let process: ChildProcess

    /// The times of single operations, in nanoseconds, and of all together.
    struct Times {
        var total: Double
        var each: [Double]
    }

    init(folder: String, node: NodeName, cookie: String, epmdPort: UInt16) throws(TestFailure) {
        process = try .withPipes(
            "\(folder)/libei-peer", [node.description, cookie],
            environment: ["ERL_EPMD_PORT": "\(epmdPort)"])
    }

    func calls(_ function: String, count: Int) async throws -> Times {
        try await ask("call \(function) \(count)")
    }

    func connects(count: Int) async throws -> Times {
        try await ask("connect \(count)")
    }

    /// Messages to the receiver of the BEAM, which times them.
    func send(count: Int) async throws {
        _ = try await ask("send \(count)")
    }

    /// What the node is called that receives.
    func name() async throws -> NodeName {
        let words = try await answer(to: "name")
        return try NodeName(String(words.first ?? ""))
    }

    /// Makes it receive; ``awaitReceived()`` returns when it has.
    func startReceiving(count: Int) throws {
        try process.write("receive \(count)\n")
    }

    func awaitReceived() async throws {
        _ = try await answer()
    }

    /// How long so many decodings of a sample into a tree of its own take, release included.
    func decode(_ sample: String, count: Int) async throws -> Duration {
        .nanoseconds(Int64(try await ask("decode \(sample) \(count)").total))
    }

    private func ask(_ command: String) async throws -> Times {
        try Self.times(try await answer(to: command))
    }

    /// The words after `ok`.
    private func answer(to command: String? = nil) async throws -> [Substring] {
        if let command { try process.write(command + "\n") }
        let words = try await process.nextLine().split(separator: " ")
        guard words.first == "ok" else {
            throw TestFailure("libei: \(words.dropFirst().joined(separator: " "))")
        }
        return Array(words.dropFirst())
    }

    private static func times(_ words: [Substring]) throws(TestFailure) -> Times {
        let numbers = words.compactMap { Double($0) }
        guard let total = numbers.first, numbers.count == words.count else {
            throw TestFailure("libei's times are no numbers: \(words.joined(separator: " "))")
        }
        return Times(total: total, each: Array(numbers.dropFirst()))
    }
}
