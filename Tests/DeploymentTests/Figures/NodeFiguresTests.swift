import ExternalTermFormat
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// A node that answers every script with the same value.
final class ScriptedNode: RemoteNode {
    private let answer: @Sendable () async throws(RemoteCallError) -> Term
    let calls = Guarded(0)

    init(_ value: Term) {
        answer = { () throws(RemoteCallError) in
            .tuple([.atom("value"), .tuple([value, 321]), []])
        }
    }

    init(failing error: RemoteCallError) {
        answer = { () throws(RemoteCallError) in throw error }
    }

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        calls.withLock { $0 += 1 }
        return try await answer()
    }
}

/// What ``NodeSample/script`` returns.
func sampleTerm(
    reductions: Int = 1000, runtime: Int = 500, microseconds: Int = -5_000_000, uptime: Int = 10,
    schedulers: String = "undefined", input: Int = 100
) throws -> Term {
    try Term(
        text: """
            {[{total,900},{processes,100},{processes_used,90},{system,800},{atom,20},{atom_used,19},\
            {binary,30},{code,40},{ets,50}], 3, 2, \(schedulers), \(reductions), \(runtime),
            {\(input), 200}, {{39,262144},{3,65536},{9289,1048576}}, \(microseconds), \(uptime)}
            """)
}

private func sample(_ term: Term) throws -> NodeSample {
    try #require(NodeSample(RemoteScript.Answer(value: term, microseconds: 321)))
}

@Suite struct NodeSampleTests {
    @Test func `a sample is read from the node's answer`() throws {
        let found = try sample(sampleTerm())
        #expect(found.memory.total == 900)
        #expect(found.memory.ets == 50)
        #expect(found.runQueue == 3)
        #expect(found.schedulersOnline == 2)
        #expect(found.schedulerTimes == nil)
        #expect(found.processes == .init(count: 39, limit: 262_144))
        #expect(found.atoms.limit == 1_048_576)
        #expect(found.costMicroseconds == 321)
    }

    @Test(arguments: [
        "undefined", "{}", "[]", "{1,2,3,4,5,6,7,8,9,10}",
        "{[{total,-1}],0,1,undefined,1,1,{1,1},{{1,1},{1,1},{1,1}},1,1}",
        "{[{total,1}],0,1,undefined,1,1,{1,1},{{1,1},{1,1},x},1,1}",
        "{[{total,1}],0,1,undefined,1,1,{1,1},{{1,1},{1,1},{1,1}},1,-1}",
        "{[{total,99999999999999999999999}],0,1,undefined,1,1,{1,1},{{1,1},{1,1},{1,1}},1,1}",
    ])
    func `an answer of another shape is refused`(_ text: String) throws {
        let term = try Term(text: text)
        #expect(NodeSample(.init(value: term, microseconds: 1)) == nil)
    }

    @Test func `scheduler times are those of the online schedulers, in their order`() throws {
        let found = try sample(sampleTerm(schedulers: "[{3,9,9},{2,5,10},{1,1,10}]"))
        #expect(
            found.schedulerTimes == [.init(active: 1, total: 10), .init(active: 5, total: 10)])
        #expect(try sample(sampleTerm(schedulers: "[{1,1,10}]")).schedulerTimes == nil)
        #expect(try sample(sampleTerm(schedulers: "[{1,1}]")).schedulerTimes == nil)
    }
}

@Suite struct NodeFiguresTests {
    @Test func `rates come from two samples, by the node's own clock`() throws {
        let before = try sample(sampleTerm(schedulers: "[{1,0,100},{2,0,100}]"))
        let now = try sample(
            sampleTerm(
                reductions: 3000, runtime: 1500, microseconds: -3_000_000, uptime: 12,
                schedulers: "[{1,50,200},{2,0,200}]", input: 400))
        let figures = NodeFigures(now, at: 77, since: before)
        #expect(figures.reductionsPerSecond == 1000)
        #expect(figures.inputBytesPerSecond == 150)
        #expect(figures.outputBytesPerSecond == 0)
        #expect(figures.processorShare == 0.25)
        #expect(figures.utilization == [0.5, 0])
        #expect(figures.load == 0.25)
        let first = NodeFigures(now, at: 77)
        #expect(first.reductionsPerSecond == nil && first.utilization == nil && first.load == nil)
        #expect(first.term([])["reductions_per_second"] == .null)
    }

    @Test func `an earlier run of the node makes no rates`() throws {
        let before = try sample(sampleTerm(reductions: 9000, uptime: 100))
        let now = try sample(sampleTerm(microseconds: 1_000_000, uptime: 2))
        #expect(NodeFigures(now, at: 1, since: before).reductionsPerSecond == nil)
        let same = try sample(sampleTerm())
        #expect(NodeFigures(same, at: 1, since: same).reductionsPerSecond == nil)
        let far = try sample(sampleTerm(microseconds: .max))
        #expect(NodeFigures(far, at: 1, since: same).reductionsPerSecond == nil)
    }

    @Test func `a point is kept every five seconds, for an hour`() throws {
        let found = try sample(sampleTerm())
        var history = NodeHistory()
        for seconds in stride(from: 1000, to: 1000 + 7200, by: 2) {
            history.append(NodeFigures(found, at: seconds))
        }
        let times = history.points(after: nil).map { Int($0.seconds) }
        #expect(times.last == 8194)
        #expect(times.first == 4594)
        #expect(times.count == 601)
        #expect(history.points(after: 8187).map(\.seconds) == [8188, 8194])
        #expect(history.points(after: 9000).isEmpty)
        // The clock was set back: what is later than now is of no use.
        history.append(NodeFigures(found, at: 5000))
        #expect(history.points.last?.seconds == 5000)
        #expect(history.points.allSatisfy { $0.seconds <= 5000 })
        #expect(history.points.count == 69)
    }

    @Test func `there are never more than 720 points`() throws {
        let found = try sample(sampleTerm())
        var history = NodeHistory()
        for seconds in stride(from: 0, to: 20_000, by: 5) {
            history.append(NodeFigures(found, at: seconds))
        }
        #expect(history.points.count == 720)
        #expect(history.points.last?.seconds == 19_995)
    }
}

@Suite(.timeLimit(.minutes(1))) struct NodeSamplerTests {
    private let counter = InstanceName(app: "counter", number: 1)

    private func onLoop(
        _ body: @escaping @Sendable (ObservationFeed) async throws -> Void
    ) async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        try await Task(executorPreference: loop) {
            try await body(ObservationFeed(loop: loop))
        }.value
    }

    @Test func `a node is asked while somebody observes it, and no longer`() async throws {
        let (counter, node) = (counter, ScriptedNode(try sampleTerm()))
        try await onLoop { feed in
            let sampler = NodeSampler(
                feed: feed, interval: .milliseconds(5), patience: .milliseconds(20)
            ) { $0 == counter ? node : nil }
            #expect(node.calls.withLock { $0 } == 0)
            var seen = 0
            // Between two calls the observer may be away for longer than the sampler's patience.
            while node.calls.withLock({ $0 }) < 3 {
                await sampler.begin(counter)
                seen = try await feed.change(
                    of: [.node(counter)], after: seen, by: "a", within: .seconds(20))
            }
            while await sampler.isMeasuring(counter) {
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(await sampler.history(of: counter).points.isEmpty == false)
        }
    }

    @Test func `those who ask at the same time share one question`() async throws {
        let (counter, node) = (counter, ScriptedNode(try sampleTerm()))
        try await onLoop { feed in
            let sampler = NodeSampler(feed: feed) { _ in node }
            async let first = sampler.figures(of: counter, within: .zero)
            async let second = sampler.figures(of: counter, within: .zero)
            #expect(try await first == second)
            #expect(node.calls.withLock { $0 } == 1)
            _ = try await sampler.figures(of: counter, within: .seconds(1000))
            #expect(node.calls.withLock { $0 } == 1)
            _ = try await sampler.figures(of: counter, within: .zero)
            #expect(node.calls.withLock { $0 } == 2)
        }
    }

    @Test func `a node that does not answer is said to, and its last figures are not given`()
        async throws
    {
        let (counter, sample) = (counter, try sampleTerm())
        try await onLoop { feed in
            let current = Guarded<ScriptedNode?>(ScriptedNode(sample))
            let sampler = NodeSampler(feed: feed) { _ in current.withLock { $0 } }
            _ = try await sampler.figures(of: counter)
            current.withLock { $0 = ScriptedNode(failing: .timedOut) }
            await #expect(throws: NodeError.call(.timedOut)) {
                try await sampler.figures(of: counter, within: .zero)
            }
            #expect(await sampler.failure(of: counter) == .call(.timedOut))
            current.withLock { $0 = nil }
            await #expect(throws: NodeError.notConnected) {
                try await sampler.figures(of: counter, within: .seconds(1000))
            }
            current.withLock { $0 = ScriptedNode(.atom("nonsense")) }
            await #expect(throws: NodeError.unexpectedAnswer) {
                try await sampler.figures(of: counter)
            }
        }
    }
}
