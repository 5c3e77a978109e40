import FoundationEssentials
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

private let counter = ObservationTopic.application("counter")
private let mailer = ObservationTopic.application("mailer")

@Suite struct ObservationRegisterTests {
    @Test func `a change wakes those who wait for its topic, and has a new revision`() throws {
        var register = ObservationRegister()
        let entered = register.enter([counter], observer: "a")
        let first = try #require(entered)
        let other = register.enter([counter, mailer], observer: "b")
        let second = try #require(other)
        #expect(register.revision(of: [counter, mailer]) == 0)
        var woken = register.changed(mailer)
        #expect(woken == [second])
        #expect(register.revision(of: [mailer]) == 1)
        #expect(register.revision(of: [counter]) == 0)
        woken = register.changed(counter)
        #expect(woken == [first, second])
        register.leave(first)
        woken = register.changed(counter)
        #expect(woken == [second])
        #expect(register.isObserved(mailer) && !register.isObserved(.usage))
        #expect(register.revision(of: [counter, mailer]) == 3)
    }

    @Test func `only so many wait, of each observer and in all, until some leave`() throws {
        var limits = ObservationRegister.Limits()
        (limits.count, limits.countOfObserver) = (3, 2)
        var register = ObservationRegister(limits: limits)
        let entered = register.enter([counter], observer: "a")
        let first = try #require(entered)
        var room = ["a", "a", "b", "c"].map { register.enter([counter], observer: $0) != nil }
        #expect(room == [true, false, true, false])
        register.leave(first)
        room = ["c", "a"].map { register.enter([counter], observer: $0) != nil }
        #expect(room == [true, false])
    }
}

@Suite struct ObservationFeedTests {
    /// Runs `body` on a loop of its own.
    private func onLoop(
        _ body: @escaping @Sendable (ObservationFeed) async throws -> Void
    ) async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        try await Task(executorPreference: loop) {
            try await body(ObservationFeed(loop: loop))
        }.value
    }

    private static func snapshot(_ target: String) -> ApplicationSnapshot {
        ApplicationSnapshot(
            application: "counter", targetVersion: target, ghosted: [], history: [],
            instances: [])
    }

    @Test func `whoever waits is told of the next change, and of one that it has missed`()
        async throws
    {
        try await onLoop { feed in
            let waiting = Task {
                try await feed.change(of: [counter], after: 0, by: "a", within: .seconds(60))
            }
            while await feed.observerCount == 0 {
                await feed.loop.sleep(for: .milliseconds(1))
            }
            await feed.publish(Self.snapshot("1.0"))
            let told = try await waiting.value
            #expect(told == 1)
            // The same state once more is no change.
            await feed.publish(Self.snapshot("1.0"))
            let missed = try await feed.change(
                of: [counter], after: 0, by: "a", within: .seconds(60))
            #expect(missed == 1)
            let newest = await feed.snapshot(of: "counter")
            #expect(newest == Self.snapshot("1.0"))
        }
    }

    @Test
    func `waiting ends after its time, when it is cancelled or forgotten, and when the feed ends`()
        async throws
    {
        try await onLoop { feed in
            let begin = MonotonicTime.now
            let same = try await feed.change(
                of: [counter], after: 0, by: "a", within: .milliseconds(20))
            #expect(same == 0)
            #expect(MonotonicTime.now - begin >= .milliseconds(20))
            func waiting() async -> Task<Int, any Error> {
                let task = Task {
                    try await feed.change(of: [counter], after: 0, by: "a", within: .seconds(60))
                }
                while await feed.observerCount == 0 {
                    await feed.loop.sleep(for: .milliseconds(1))
                }
                return task
            }
            let cancelled = await waiting()
            cancelled.cancel()
            let after = try await cancelled.value
            #expect(after == 0)
            let forgotten = await waiting()
            await feed.forget("a")
            let last = try await forgotten.value
            #expect(last == 0)
            let closed = await waiting()
            await feed.close()
            let end = await closed.result
            #expect(throws: ObservationFeed.Refusal.closed) { try end.get() }
        }
    }

    @Test func `what is written to a log is told once for each time that it is watched`()
        async throws
    {
        try await onLoop { feed in
            let path = "/tmp/deployex-log-\(UUID().uuidString)"
            let topics: Set<ObservationTopic> = [.log(path: path)]
            let watch = LogWatch(feed: feed)
            var isWatched = await watch.watch(path)
            #expect(!isWatched)
            let file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0o600)
            defer {
                close(file)
                unlink(path)
            }
            for round in 1...2 {
                isWatched = await watch.watch(path)
                #expect(isWatched)
                #expect(write(file, "a", 1) == 1)
                #expect(write(file, "b", 1) == 1)
                let now = try await feed.change(
                    of: topics, after: round - 1, by: "a", within: .seconds(60))
                #expect(now == round)
            }
            // Nobody watches any more.
            #expect(write(file, "c", 1) == 1)
            let now = try await feed.change(
                of: topics, after: 2, by: "a", within: .milliseconds(150))
            #expect(now == 2)
        }
    }

    @Test func `what is used is measured while somebody watches, and no longer`() async throws {
        try await onLoop { feed in
            var snapshot = Self.snapshot("1.0")
            snapshot.instances = [
                InstanceSnapshot(
                    number: 1, status: .running, current: nil, previous: nil,
                    identity: ProcessIdentity.ofRunning(pid: getpid()))
            ]
            // This process leads no session unless a terminal made it one.
            let isLeader = getsid(0) == getpid()
            await feed.publish(snapshot)
            let sampler = UsageSampler(
                of: ["counter"], feed: feed, interval: .milliseconds(20),
                patience: .milliseconds(20))
            #expect(await !sampler.isMeasuring)
            await sampler.begin()
            #expect(await sampler.isMeasuring)
            let found = await sampler.usage[InstanceName(app: "counter", number: 1)]
            #expect((found != nil) == isLeader)
            // A watcher that waits keeps it going.
            _ = try await feed.change(
                of: [.usage, mailer], after: feed.revision(of: [.usage, mailer]), by: "a",
                within: .milliseconds(100))
            try await eventually("the end of measuring") { await !sampler.isMeasuring }
            #expect(await sampler.usage.isEmpty)
        }
    }
}
