import ErlDist
import Supervisor
import Testing
import Transport

@testable import deployex

@Suite struct ApplicationStartTests {
    private struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    @Test func `what fails at the start is tried again, and told once`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let told = Guarded<[String]>([])
        let beginning = ApplicationStart(
            loop: loop, backoff: Backoff(first: .milliseconds(1), maximum: .milliseconds(2))
        ) { level, text in
            #expect(level == .error)
            told.withLock { $0.append(text) }
        }
        var seen: [String?] = []
        await beginning.run {
            seen.append(beginning.problem)
            guard seen.count > 3 else { throw Broken(description: seen.count > 2 ? "b" : "a") }
        }
        #expect(seen == [nil, "a", "a", "b"])
        #expect(beginning.problem == nil)
        #expect(
            told.withLock { $0 } == [
                "Application is not begun: a; it is tried again",
                "Application is not begun: b; it is tried again",
            ])
    }

    @Test func `the first attempt has ended when it has failed, or when none is made`() async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let failing = ApplicationStart(loop: loop) { _, _ in }
        let attempts = Task { await failing.run { throw Broken(description: "a") } }
        await failing.firstAttemptEnded()
        #expect(failing.problem == "a")
        attempts.cancel()
        await failing.firstAttemptEnded()
        let cancelled = ApplicationStart(loop: loop) { _, _ in }
        let none = Task {
            while !Task.isCancelled { await Task.yield() }
            await cancelled.run { Issue.record("It was cancelled") }
        }
        async let ended: Void = cancelled.firstAttemptEnded()
        none.cancel()
        await ended
    }

    @Test func `whoever is cancelled tries no more`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let beginning = ApplicationStart(loop: loop) { _, _ in }
        let task = Task { await beginning.run { throw Broken(description: "a") } }
        while beginning.problem == nil { await Task.yield() }
        task.cancel()
        await task.value
        #expect(beginning.problem == "a")
    }
}
