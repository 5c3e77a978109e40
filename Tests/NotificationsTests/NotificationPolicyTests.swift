import Supervisor
import Testing
import Transport

@testable import Deployment
@testable import Notifications

@Suite struct NotificationPolicyTests {
    private let start = MonotonicTime.now

    private func release(_ version: String) -> DeployedRelease {
        DeployedRelease(version: version, hash: "h", deployment: .fullDeployment)
    }

    private func outcome(
        _ version: String, _ instance: Int, _ outcome: DeploymentOutcome.Outcome = .succeeded,
        kind: DeploymentOutcome.Kind = .fullDeployment, at: Int64 = 1, reason: String? = nil
    ) -> DeploymentOutcome {
        DeploymentOutcome(
            version: version, hash: "h", kind: kind, instance: InstanceNumber(instance),
            outcome: outcome, at: at, milliseconds: 1, reason: reason)
    }

    private func state(
        _ target: String?, _ versions: [String?], rollout: String? = nil,
        history: [DeploymentOutcome] = [], ghosted: [String] = []
    ) -> ApplicationSnapshot {
        var state = ApplicationSnapshot(
            application: "counter", targetVersion: target,
            instances: versions.enumerated().map { index, version in
                var found = InstanceSnapshot(
                    number: InstanceNumber(index + 1), status: .running)
                found.current = version.map { release($0) }
                return found
            })
        state.history = history
        state.ghosted = ghosted.map {
            GhostedRelease(version: $0, hash: "h", reason: "", logLines: [], at: 1)
        }
        state.rollout = rollout.map {
            RolloutSnapshot(
                instance: InstanceNumber(1), version: $0,
                steps: [.init(phase: .staging, begin: start)])
        }
        return state
    }

    private func told(
        _ policy: inout NotificationPolicy, _ states: [ApplicationSnapshot]
    ) -> [NotificationEvent] {
        states.flatMap { policy.changed($0, at: 7, now: start) }
    }

    @Test func `a deployment begins once and is done with its last instance`() {
        var policy = NotificationPolicy(host: "h")
        let one = outcome("1", 1)
        let two = outcome("1", 2)
        let events = told(
            &policy,
            [
                state(nil, [nil, nil]), state("1", [nil, nil], rollout: "1"),
                state("1", ["1", nil], history: [one]),
                state("1", ["1", nil], rollout: "1", history: [one]),
                state("1", ["1", "1"], history: [one, two]),
                state("1", ["1", "1"], history: [one, two]),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentDone])
        #expect(events.allSatisfy { $0.version == "1" && $0.application == "counter" })
    }

    @Test func `a failed version is told with its reason, and the way back at its end`() {
        var policy = NotificationPolicy(host: "h")
        let old = [outcome("1", 1), outcome("1", 2)]
        let failed = old + [outcome("2", 1, .failed, at: 2, reason: "it crashed")]
        let back = failed + [outcome("1", 1, kind: .rollback, at: 3)]
        let events = told(
            &policy,
            [
                state("1", ["1", "1"], history: old),
                state("2", ["1", "1"], rollout: "2", history: old),
                state("1", ["2", "1"], rollout: "1", history: failed, ghosted: ["2"]),
                state("1", ["1", "1"], history: back, ghosted: ["2"]),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentFailed, .rolledBack])
        #expect(events[1].reason == "it crashed" && events[1].instance == 1)
        #expect(events.map(\.version) == ["2", "2", "1"])
        // The next version is no way back.
        let next = told(
            &policy, [state("3", ["1", "1"], rollout: "3", history: back, ghosted: ["2"])])
        #expect(next.map(\.kind) == [.deploymentBegun])
    }

    @Test func `a version that fails after its rollout is told once, by its ghost`() {
        var policy = NotificationPolicy(host: "h")
        let done = [outcome("1", 1), outcome("2", 1, at: 2)]
        let events = told(
            &policy,
            [
                state("1", ["1"], history: [done[0]]),
                state("2", ["1"], rollout: "2", history: [done[0]]),
                state("2", ["2"], history: done),
                state("1", ["2"], history: done, ghosted: ["2"]),
                state("1", ["2"], rollout: "1", history: done, ghosted: ["2"]),
                state(
                    "1", ["1"], history: done + [outcome("1", 1, kind: .rollback, at: 3)],
                    ghosted: ["2"]),
            ])
        #expect(
            events.map(\.kind) == [
                .deploymentBegun, .deploymentDone, .deploymentFailed, .rolledBack,
            ])
        // A ghost of an earlier time says nothing.
        var later = NotificationPolicy(host: "h")
        #expect(told(&later, [state("1", ["1"], history: done, ghosted: ["2"])]).isEmpty)
    }

    @Test func `a version that failed and is ready later is done, once, also over a restart`() {
        var policy = NotificationPolicy(host: "h")
        let failed = [outcome("1", 1, .failed, reason: "not ready in time")]
        var starting = state("1", ["1", nil], history: failed)
        starting.instances[0].status = .starting
        starting.instances[1].isStoppedByOperator = true
        var ready = starting
        ready.instances[0].status = .running
        let events = told(
            &policy,
            [state("1", [nil, nil], rollout: "1"), starting, ready, starting, ready, ready])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentFailed, .deploymentDone])
        // The next deployex finds the same, and knows that it was good.
        var later = NotificationPolicy(host: "h")
        starting.good = [ReleaseID(version: "1", hash: "h")]
        ready.good = starting.good
        #expect(told(&later, [starting, ready]) == [])
    }

    @Test func `a version that failed first and works goes on to the others without a new begin`() {
        var policy = NotificationPolicy(host: "h")
        let failed = [outcome("1", 1, .failed)]
        var starting = state("1", ["1", nil], history: failed)
        starting.instances[0].status = .starting
        let events = told(
            &policy,
            [
                state("1", [nil, nil], rollout: "1"), starting,
                state("1", ["1", nil], rollout: "1", history: failed),
                state("1", ["1", "1"], history: failed + [outcome("1", 2, at: 2)]),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentFailed, .deploymentDone])
    }

    @Test func `an operator's stop during a trial is no failure, and the start is the end`() {
        var policy = NotificationPolicy(host: "h")
        let stop = [
            outcome("1", 1, .failed, reason: DeploymentOutcome.stoppedByOperator)
        ]
        var stopped = state("1", ["1"], history: stop)
        stopped.instances[0].isStoppedByOperator = true
        stopped.instances[0].status = .idle
        var starting = state("1", ["1"], history: stop)
        starting.instances[0].status = .starting
        let events = told(
            &policy,
            [
                state("1", [nil], rollout: "1"), stopped, stopped, starting,
                state("1", ["1"], history: stop),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentDone])
    }

    @Test func `a problem is told once when it lasts, and its end`() throws {
        var policy = NotificationPolicy(host: "h")
        func changed(_ problem: String?, after seconds: Int) -> [NotificationEvent] {
            var found = state("2", ["1"], history: [outcome("1", 1)])
            found.problem = problem
            return policy.changed(found, at: 7, now: start + .seconds(seconds))
        }
        // One that goes within a minute is none.
        #expect(changed("late", after: 0) == [] && changed(nil, after: 59) == [])
        #expect(changed("it is not signed", after: 100) == [])
        #expect(policy.timePassed(at: 8, now: start + .seconds(159)) == [])
        let told = policy.timePassed(at: 8, now: start + .seconds(160))
        #expect(told.map(\.kind) == [.problem])
        let first = try #require(told.first)
        #expect(first.reason == "it is not signed" && first.version == "2")
        #expect(first.alert == .trigger)
        #expect(policy.timePassed(at: 8, now: start + .seconds(900)) == [])
        #expect(changed("it is not signed", after: 901) == [])
        #expect(changed("it has other bytes", after: 902).map(\.kind) == [.problem])
        #expect(changed("it is not signed", after: 903) == [])
        for number in 1...9 { _ = changed("reason \(number)", after: 904) }
        #expect(changed("reason 10", after: 905) == [])
        let over = changed(nil, after: 906)
        #expect(over.map(\.kind) == [.problemOver] && over.first?.alert == .resolve)
        #expect(over.first?.subject == first.subject)
        #expect(changed(nil, after: 907) == [])
    }

    @Test func `an application that is not begun has a problem until it is`() {
        var policy = NotificationPolicy(host: "h")
        #expect(policy.hindered("counter", "no folder", at: 7, now: start) == [])
        let later = start + .seconds(60)
        #expect(policy.timePassed(at: 8, now: later).map(\.kind) == [.problem])
        // Its history is older than that.
        let past = [outcome("1", 1), outcome("2", 1, .failed), outcome("1", 1, kind: .rollback)]
        let begun = policy.changed(state("1", ["1"], history: past), at: 9, now: later)
        #expect(begun.map(\.kind) == [.problemOver])
    }

    @Test func `a failed hot upgrade that goes on as a full deployment has not failed`() {
        var policy = NotificationPolicy(host: "h")
        let failed = [outcome("1", 1), outcome("2", 1, .failed, kind: .hotUpgrade)]
        let events = told(
            &policy,
            [
                state("1", ["1"], history: [failed[0]]),
                state("2", ["1"], rollout: "2", history: [failed[0]]),
                state("2", ["1"], rollout: "2", history: failed),
                state("2", ["2"], history: failed + [outcome("2", 1)]),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentDone])
    }

    @Test func `an older version that was not forced upon us is a deployment`() {
        var policy = NotificationPolicy(host: "h")
        let past = [outcome("1", 1), outcome("2", 1, at: 2)]
        let events = told(
            &policy,
            [
                state("2", ["2"], history: past),
                state("1", ["2"], rollout: "1", history: past),
                state("1", ["1"], history: past + [outcome("1", 1, at: 3)]),
            ])
        #expect(events.map(\.kind) == [.deploymentBegun, .deploymentDone])
    }

    @Test func `a restart of deployex tells nothing twice`() {
        let one = outcome("1", 1)
        var first = NotificationPolicy(host: "h")
        let begun = told(
            &first, [state(nil, [nil, nil]), state("1", [nil, nil], rollout: "1")])
        // Before the first instance was done: the same event again, with the same id.
        var second = NotificationPolicy(host: "h")
        #expect(
            second.changed(
                state("1", [nil, nil], rollout: "1"), at: 99, now: start + .seconds(99)
            ).map(\.id) == begun.map(\.id))
        // Between two instances: only the end is told.
        var third = NotificationPolicy(host: "h")
        let rest = told(
            &third,
            [
                // The target is known later.
                state(nil, ["1", nil], history: [one]),
                state("1", ["1", nil], rollout: "1", history: [one]),
                state("1", ["1", "1"], history: [one, outcome("1", 2)]),
            ])
        #expect(rest.map(\.kind) == [.deploymentDone])
        // What had failed and ended is not told.
        var fourth = NotificationPolicy(host: "h")
        let past = [one, outcome("2", 1, .failed), outcome("1", 1, kind: .rollback)]
        #expect(told(&fourth, [state("1", ["1", "1"], history: past, ghosted: ["2"])]).isEmpty)
    }

    @Test func `three crashes within ten minutes are a loop until five minutes without one`() {
        var policy = NotificationPolicy(host: "h")
        func crashed(_ count: Int, after seconds: Int) -> [NotificationEvent.Kind] {
            var found = state("1", ["1"], history: [outcome("1", 1)])
            found.instances[0].crashRestarts = count
            return policy.changed(found, at: 7, now: start + .seconds(seconds)).map(\.kind)
        }
        #expect(crashed(5, after: 0) == [])
        #expect(crashed(6, after: 1) == [])
        #expect(crashed(7, after: 2) == [])
        #expect(crashed(8, after: 900) == [])
        #expect(crashed(9, after: 901) == [])
        #expect(crashed(10, after: 902) == [.crashLoop])
        #expect(crashed(11, after: 903) == [])
        #expect(policy.timePassed(at: 8, now: start + .seconds(1_202)) == [])
        let over = policy.timePassed(at: 8, now: start + .seconds(1_203))
        #expect(over.map(\.kind) == [.crashLoopOver])
        #expect(crashed(11, after: 1_204) == [])
        #expect(policy.timePassed(at: 8, now: start + .seconds(1_400)) == [])
        #expect(policy.timePassed(at: 8, now: start + .seconds(1_300)) == [])
    }
}
