import Testing
import Transport

@testable import Deployment

/// How a node is, by its answers alone.
@Suite struct NodeHealthTests {
    private let start = MonotonicTime(nanoseconds: 0)
    private let configuration = EngineConfiguration(application: "counter", replicas: 1)

    /// A node whose process has just begun, with its first probe under way.
    private var booting: NodeHealth {
        var health = NodeHealth(creation: nil)
        health.beginRun()
        health.probeSoon(now: start)
        _ = health.beginProbeIfDue(now: start)
        return health
    }

    private var ready: NodeHealth {
        var health = booting
        _ = answer(.ready, &health)
        return health
    }

    private func answer(
        _ result: ProbeResult, isBeingChanged: Bool = false, _ health: inout NodeHealth
    ) -> [NodeHealth.News] {
        health.probed(
            result, age: .zero, isBeingChanged: isBeingChanged, configuration: configuration,
            now: start)
    }

    @Test func `a boot is told of once, and asked about at the pace of the two probes`() {
        var health = booting
        let second = health.beginProbeIfDue(now: start)
        #expect(second == nil, "one is under way")
        var news = answer(.notReady("starting"), &health)
        #expect(news == [])
        #expect(health.probeDeadline == start + .milliseconds(200))
        var kind = health.beginProbeIfDue(now: start + .milliseconds(200))
        #expect(kind == .readiness)
        news = answer(.ready, &health)
        #expect(news == [.becameReady])
        #expect(health.probeDeadline == start + .seconds(1))
        kind = health.beginProbeIfDue(now: start + .seconds(1))
        #expect(kind == .liveness)
        news = answer(.ready, &health)
        #expect(news == [])
    }

    @Test func `what is ready stays so while it cannot be reached, until it hangs`() {
        var health = ready
        var news = answer(.unreachable("refused"), &health)
        #expect(news == [])
        #expect(health.isReady && !health.isConnected)
        news = (1...10).flatMap { _ in answer(.unresponsive("late"), &health) }
        #expect(news == [.doesNotRespond("late"), .hung(count: 10)])
        #expect(health.readiness == .lost)
    }

    @Test func `a node that is upgraded may be busy: it is not called hung`() {
        var health = ready
        var news = (1...20).flatMap { _ in
            answer(.unresponsive("late"), isBeingChanged: true, &health)
        }
        #expect(news == [.doesNotRespond("late")])
        #expect(health.isReady)
        news = answer(.ready, &health)
        #expect(news == [.respondsAgain])
    }

    @Test func `what was taken over is unheard until its first answer, whatever that says`() {
        var health = NodeHealth(creation: 7)
        health.adopted(now: start)
        #expect(health.readiness == .unheard(hasServed: true))
        _ = answer(.unreachable("refused"), &health)
        #expect(health.readiness == .lost)
        health.upgradedInPlace(now: start)
        #expect(health.readiness == .unheard(hasServed: true))
    }

    @Test func `silence before the first connection is no hanging, and hides no better reason`() {
        var health = NodeHealth(creation: 7)
        health.adopted(now: start)
        var news = answer(.refused("the peer lacks TLS"), &health)
        #expect(news == [.doesNotAnswerWell("the peer lacks TLS")], "said at once")
        news = (1...30).flatMap { _ in
            answer(.unresponsive("no answer in time"), &health)
                + answer(.refused("the peer lacks TLS"), &health)
        }
        #expect(news == [], "and once")
        #expect(health.reason == "the peer lacks TLS")
        _ = health.connected(creation: 7, now: start)
        news = (1...10).flatMap { _ in answer(.unresponsive("late"), &health) }
        #expect(news == [.doesNotRespond("late"), .hung(count: 10)])
    }

    @Test func `silence lasts until an answer, and is none where nobody has been heard`() {
        var health = ready
        _ = answer(.unresponsive("late"), &health)
        #expect(health.isSilent)
        _ = answer(.unreachable("the handshake was not finished in time"), &health)
        #expect(health.isSilent, "it still says nothing")
        _ = answer(.refused("the cookies differ"), &health)
        #expect(!health.isSilent && health.reason == "the cookies differ")
        _ = answer(.unresponsive("late"), &health)
        _ = answer(.notReady("boot is not finished"), &health)
        #expect(!health.isSilent)
        _ = answer(.unresponsive("late"), &health)
        _ = answer(.ready, &health)
        #expect(!health.isSilent && health.reason == nil)

        var boots = booting
        _ = answer(.unresponsive("late"), &boots)
        #expect(!boots.isSilent, "it need not be there yet")
        var adopted = NodeHealth(creation: 7)
        adopted.adopted(now: start)
        _ = answer(.unresponsive("late"), &adopted)
        #expect(adopted.isSilent)
        _ = answer(.refused("the peer lacks TLS"), &adopted)
        _ = answer(.unresponsive("late"), &adopted)
        #expect(!adopted.isSilent && adopted.reason == "the peer lacks TLS")
    }

    @Test func `another creation is another life in the same process`() {
        var health = ready
        let run = health.run
        let reboots = [5, 5, 6].map { health.connected(creation: $0, now: start) }
        #expect(reboots == [false, false, true])
        #expect(health.readiness == .booting)
        #expect(health.run == run + 1, "an answer that is under way speaks of the life before")
        health.adopted(now: start)
        let hasRebooted = health.connected(creation: 7, now: start)
        #expect(hasRebooted)
        #expect(health.readiness == .unheard(hasServed: false))
    }

    @Test func `nothing of a process is left when it ends but the count of runs`() {
        var health = ready
        health.doubt()
        health.endRun()
        var fresh = NodeHealth(creation: nil)
        fresh.beginRun()
        #expect(health == fresh)
    }
}
