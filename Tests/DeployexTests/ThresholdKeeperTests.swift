import ErlDist
import ExternalTermFormat
import Supervisor
import Testing
import Transport

@testable import Deployment
@testable import deployex

/// A node with this many of a hundred atoms.
private struct FullNode: RemoteNode {
    let atoms: Int

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        let value: Term = .tuple([
            [.tuple([.atom("total"), 900])], 0, 1, .atom("undefined"), 1, 1, .tuple([1, 1]),
            .tuple([
                .tuple([1, 100]), .tuple([1, 100]), .tuple([.integer(atoms), 100]),
            ]), 1, 1,
        ])
        return .tuple([.atom("value"), .tuple([value, 1]), []])
    }
}

@Suite(.timeLimit(.minutes(1))) struct ThresholdKeeperTests {
    private static func snapshot() -> ApplicationSnapshot {
        ApplicationSnapshot(
            application: "counter",
            instances: InstanceNumber.first(2).map {
                var instance = InstanceSnapshot(number: $0, status: .running)
                instance.isConnected = true
                return instance
            })
    }

    private static func configuration(_ thresholds: String) throws -> [ApplicationConfiguration] {
        let text = #"{"applications": [{"name": "counter", "thresholds": \#(thresholds)}]}"#
        let file = try ConfigurationFile(path: "/d.json", bytes: Array(text.utf8))
        return try ServerConfiguration(file: file, environment: [:]).applications
    }

    @Test func `a node over its limit is said to be, restarted, and shown`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        try await Task(executorPreference: loop) {
            let feed = ObservationFeed(loop: loop)
            await feed.publish(Self.snapshot())
            let lines = Guarded<[String]>([])
            let keeper = ThresholdKeeper(
                try Self.configuration(#"{"atoms": {"restart": 90}}"#), feed: feed,
                interval: .milliseconds(5)
            ) { level, text in lines.withLock { $0.append("\(level) \(text)") } }
            let sampler = NodeSampler(feed: feed) { FullNode(atoms: $0.number == 2 ? 95 : 10) }
            let restarts = Guarded<[String]>([])
            let seen = await feed.revision(of: [.application("counter")])
            await keeper.start(sampler) { instance, reason in
                restarts.withLock { $0.append("\(instance): \(reason)") }
                return nil
            }
            // The change is published when all of it is done.
            _ = try await feed.change(
                of: [.application("counter")], after: seen, by: "a", within: .seconds(30))
            await keeper.stop()
            #expect(
                restarts.withLock { $0 } == [
                    "counter-2: a threshold: 95.0 % of the atoms that its node may have"
                ])
            #expect(
                lines.withLock { $0 } == [
                    "warning counter: instance 2: 95.0 % of the atoms that its node may have, "
                        + "over the threshold of a restart"
                ])
            let states = await keeper.states(of: InstanceName(app: "counter", number: 2))
            #expect(states.map(\.level) == ["restart"])
            #expect(states.first?.restarts == 1)
            let other = await keeper.states(of: InstanceName(app: "counter", number: 1))
            #expect(other.first?.percent == 10)
        }.value
    }

    @Test func `without thresholds nothing is asked`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        try await Task(executorPreference: loop) {
            let feed = ObservationFeed(loop: loop)
            await feed.publish(Self.snapshot())
            let keeper = ThresholdKeeper(
                try Self.configuration("{}"), feed: feed, interval: .milliseconds(1)
            ) { _, _ in }
            let asked = Guarded(0)
            let sampler = NodeSampler(feed: feed) { _ in
                asked.withLock { $0 += 1 }
                return nil
            }
            await keeper.start(sampler) { _, _ in nil }
            #expect(await !keeper.isWatching)
            #expect(asked.withLock { $0 } == 0)
        }.value
    }
}
