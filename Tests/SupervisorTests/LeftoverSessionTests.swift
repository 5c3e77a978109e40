import Testing
import Transport

@testable import Supervisor

@Suite struct LeftoverSessionTests {
    /// As of a process that waits for a file system which does not answer.
    @Test func `what SIGKILL does not end is waited for a while, and no longer`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let kills = Guarded(0)
        let outcome = await LoopActor(loop).wait { wait in
            wait.kill(times: 3, every: .milliseconds(2), on: loop) { kills.withLock { $0 += 1 } }
        }
        #expect(outcome == .survived(count: 1))
        #expect(kills.withLock { $0 } == 3)
    }
}

private actor LoopActor {
    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func wait(_ body: @Sendable (LeftoverWait) -> Void) async -> LeftoverSession.Outcome {
        let wait = LeftoverWait()
        body(wait)
        return await withCheckedContinuation { wait.start($0) }
    }
}
