import Testing
import Transport

@testable import Supervisor

@Suite struct LogRotationPolicyTests {
    private let limit: Int64 = 10 << 20
    private var policy: LogRotationPolicy { LogRotationPolicy(limits: LogLimits()) }
    private func at(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + .seconds(seconds)
    }

    @Test func `what is above the limit is rotated, in order`() {
        var policy = policy
        let sizes = ["b": limit + 1, "a": limit * 2, "c": limit]
        #expect(policy.measured(sizes, now: at(0)) == ["a", "b"])
        #expect(policy.untilNextLook == .milliseconds(250))
        #expect(policy.finished("a", .rotated, now: at(1)) == nil)
        #expect(policy.measured(["b": limit + 1, "a": 5], now: at(2)) == ["b"])
    }

    @Test func `a flood is looked at again at once`() {
        var policy = policy
        _ = policy.measured(["a": limit * 7], now: at(0))
        #expect(policy.untilNextLook == .milliseconds(50))
        _ = policy.measured(["a": limit * 5], now: at(1))
        #expect(policy.untilNextLook == .milliseconds(250))
    }

    @Test func `without a limit nothing is`() {
        var policy = LogRotationPolicy(limits: .off)
        #expect(policy.measured(["a": .max], now: at(0)) == [])
    }

    @Test func `a failure is told once, tried again later, and its end is told`() {
        var policy = policy
        let sizes = ["a": limit + 1]
        #expect(policy.measured(sizes, now: at(0)) == ["a"])
        #expect(
            policy.finished("a", .failed("no space left"), now: at(0))
                == .warning("rotating a failed, and is tried again until it works: no space left"))
        #expect(policy.measured(sizes, now: at(29.9)) == [])
        #expect(policy.measured(sizes, now: at(30)) == ["a"])
        #expect(policy.finished("a", .failed("no space left"), now: at(31)) == nil)
        #expect(policy.measured(sizes, now: at(60)) == [])
        #expect(policy.measured(sizes, now: at(61)) == ["a"])
        #expect(policy.finished("a", .rotated, now: at(61)) == .info("a is being rotated again"))
        #expect(policy.finished("a", .rotated, now: at(61)) == nil)
    }

    @Test func `where nothing can be freed it waits for a start`() {
        var policy = policy
        #expect(policy.measured(["a": limit + 1], now: at(0)) == ["a"])
        guard case .warning = policy.finished("a", .unsupported, now: at(0)) else {
            Issue.record("no warning")
            return
        }
        #expect(policy.measured(["a": limit * 9], now: at(1_000)) == [])
        policy.restarted("a")
        #expect(policy.measured(["a": limit + 1], now: at(1_001)) == ["a"])
    }

    @Test func `a log that grows fast is looked at sooner`() {
        var policy = policy
        _ = policy.measured(["a": 0, "b": 0], now: at(0))
        #expect(policy.untilNextLook == .seconds(1))
        // 10 MiB a second: half the limit in half a second.
        _ = policy.measured(["a": 10 << 20, "b": 1], now: at(1))
        #expect(policy.untilNextLook == .seconds(0.5))
        _ = policy.measured(["a": limit * 6, "b": 1], now: at(1.5))
        #expect(policy.untilNextLook == .milliseconds(250))
        _ = policy.finished("a", .rotated, now: at(2))
        _ = policy.measured(["a": 1 << 20, "b": 1], now: at(2))
        #expect(policy.untilNextLook == .seconds(1))
    }
}
