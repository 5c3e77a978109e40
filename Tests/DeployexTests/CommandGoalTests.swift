import ExternalTermFormat
import Supervisor
import Testing

@testable import Deployment
@testable import deployex

private func instance(
    _ number: InstanceNumber, _ status: InstanceStatus, _ version: String, pid: Int32? = 7,
    isStopped: Bool = false
) -> InstanceSnapshot {
    InstanceSnapshot(
        number: number, status: status,
        current: DeployedRelease(version: version, hash: "", deployment: .fullDeployment),
        previous: nil, isConnected: true, isStoppedByOperator: isStopped,
        identity: pid.map { ProcessIdentity(pid: $0, startTicks: 1, bootID: "b") }, startedAt: nil,
        crashRestarts: 0, forcedRestarts: 0)
}

private func counter(
    target: String? = "2.0", ghosted: [(String, String)] = [], _ instances: InstanceSnapshot...
) -> [ApplicationSnapshot] {
    let ghosted = ghosted.map {
        GhostedRelease(version: $0.0, hash: "", reason: $0.1, logLines: [], at: 0)
    }
    return [
        ApplicationSnapshot(
            application: "counter", targetVersion: target, ghosted: ghosted, history: [],
            instances: instances)
    ]
}

private func goal(
    _ command: EngineCommand, before: [ApplicationSnapshot] = [],
    after: [ApplicationSnapshot] = []
) throws -> CommandGoal {
    try #require(
        CommandGoal(command, of: "counter", before: before.first, after: after.first))
}

private let first = InstanceName(app: "counter", number: 1)

@Suite struct CommandGoalTests {
    @Test func `a deployment is done when every instance runs the version`() throws {
        let begin = counter(instance(1, .running, "1.0"), instance(2, .running, "1.0"))
        let goal = try goal(.deploy(version: "2.0"), after: begin)
        #expect(goal.judge(begin) == .waiting("counter 2.0 runs on 0 of 2 instances"))
        #expect(
            goal.judge(counter(instance(1, .starting, "2.0"), instance(2, .running, "1.0")))
                == .waiting("counter 2.0 runs on 0 of 2 instances, instance 1 starting"))
        #expect(
            goal.judge(counter(instance(1, .running, "2.0"), instance(2, .running, "2.0")))
                == .done("counter 2.0 runs on 2 of 2 instances"))
    }

    @Test func `an instance that an operator has stopped is not waited for`() throws {
        let end = counter(
            instance(1, .running, "2.0"), instance(2, .idle, "1.0", pid: nil, isStopped: true))
        #expect(
            try goal(.deploy(version: "2.0"), after: end).judge(end)
                == .done("counter 2.0 runs on 1 of 1 instances"))
    }

    @Test func `a version that is ghosted meanwhile has failed, with the reason`() throws {
        #expect(
            try goal(.deploy(version: "2.0")).judge(
                counter(
                    target: "1.0", ghosted: [("2.0", "it crashed 4 times")],
                    instance(1, .running, "1.0")))
                == .failed("counter 2.0 was taken back: it crashed 4 times"))
    }

    @Test func `an earlier ghost of the version with another hash does not matter`() throws {
        let now = counter(ghosted: [("2.0", "it crashed")], instance(1, .running, "1.0"))
        #expect(
            try goal(.deploy(version: "2.0")).judge(now)
                == .waiting("counter 2.0 runs on 0 of 1 instances"))
    }

    @Test func `a version that is no longer wanted has failed`() throws {
        #expect(
            try goal(.deploy(version: "2.0"))
                .judge(counter(target: "3.0", instance(1, .running, "1.0")))
                == .failed("counter is to run 3.0 by now, not 2.0"))
    }

    @Test func `auto and rollback wait for what is the target afterwards`() throws {
        let begin = counter(target: "1.5", instance(1, .running, "2.0"))
        for command in [EngineCommand.deploy(version: nil), .rollback] {
            let goal = try goal(command, after: begin)
            #expect(goal.judge(begin) == .waiting("counter 1.5 runs on 0 of 1 instances"))
            #expect(
                goal.judge(counter(target: "1.5", instance(1, .running, "1.5")))
                    == .done("counter 1.5 runs on 1 of 1 instances"))
        }
        #expect(
            try goal(.deploy(version: nil)).judge(begin) == .done("no version is published yet"))
    }

    @Test func `a restart is done when another process runs, not while the old one still does`()
        throws
    {
        let before = counter(instance(1, .running, "1.0", pid: 7))
        let goal = try goal(.restart(1), before: before)
        #expect(goal.judge(before) == .waiting("counter-1 is running"))
        #expect(
            goal.judge(counter(instance(1, .starting, "1.0", pid: 8)))
                == .waiting("counter-1 is starting"))
        #expect(
            goal.judge(counter(instance(1, .running, "1.0", pid: 8)))
                == .done("counter-1 runs again as OS process 8"))
    }

    @Test func `stop waits for idle and start for running`() throws {
        let (idle, running) = (
            counter(instance(1, .idle, "1.0", pid: nil)), counter(instance(1, .running, "1.0"))
        )
        let (stopping, stopped) = (
            counter(instance(1, .stopping, "1.0", isStopped: true)),
            counter(instance(1, .idle, "1.0", pid: nil, isStopped: true))
        )
        #expect(try goal(.stop(1)).judge(stopping) == .waiting("counter-1 is stopping"))
        #expect(try goal(.stop(1)).judge(stopped) == .done("counter-1 is stopped"))
        #expect(try goal(.start(1)).judge(idle) == .waiting("counter-1 is idle"))
        #expect(try goal(.start(1)).judge(running) == .done("counter-1 is running"))
    }

    @Test(arguments: [InstanceStatus.idle, .starting, .running, .stopping, .backoff])
    func `a command that a later one has overtaken ends, whatever the instance does meanwhile`(
        status: InstanceStatus
    ) throws {
        let toRun = counter(instance(1, status, "1.0"))
        let toStayStopped = counter(instance(1, status, "1.0", isStopped: true))
        let overtaken = "a later command has overtaken this one"
        #expect(
            try goal(.stop(1)).judge(toRun) == .failed("counter-1 is to run: \(overtaken)"))
        for command in [EngineCommand.start(1), .restart(1)] {
            #expect(
                try goal(command, before: toRun).judge(toStayStopped)
                    == .failed("counter-1 is to stay stopped: \(overtaken)"))
        }
    }

    @Test func `stop --all waits until nothing runs, or until everything has begun to stop`() {
        let (idle, stopping, running) = (
            instance(1, .idle, "1.0"), instance(2, .stopping, "1.0"), instance(3, .running, "1.0")
        )
        let all = CommandGoal.allIdle(orStopping: false)
        let begun = CommandGoal.allIdle(orStopping: true)
        #expect(
            all.judge(counter(idle, stopping, running))
                == .waiting("counter-2 is stopping, counter-3 is running"))
        #expect(begun.judge(counter(stopping, running)) != .done(""))
        #expect(all.judge(counter(idle, stopping)) == .waiting("counter-2 is stopping"))
        #expect(begun.judge(counter(idle, stopping)) == .done(""))
        #expect(all.judge(counter(idle)) == .done(""))
    }

    @Test func `an application or an instance that is gone fails the goal`() throws {
        #expect(
            try goal(.stop(1)).judge([])
                == .failed("counter is no longer one of its applications"))
        #expect(
            try goal(.stop(1)).judge(counter(instance(2, .running, "1.0")))
                == .failed("counter has no instance 1 any more"))
    }

    @Test(arguments: [
        CommandGoal.version("1.0", of: "counter"), .version(nil, of: "counter"), .idle(first),
        .running(first), .restarted(first, replacing: 7), .restarted(first, replacing: nil),
        .allIdle(orStopping: true), .allIdle(orStopping: false),
    ])
    func `a goal comes back as it was given`(goal: CommandGoal) throws {
        let directory = InstanceDirectory([.init(name: "counter", replicas: 1)])
        #expect(try CommandGoal(goal.term, in: directory) == goal)
    }

    @Test(arguments: [CommandGoal.Verdict.waiting("a"), .done("b"), .failed("c")])
    func `a verdict arrives as it was sent`(verdict: CommandGoal.Verdict) throws {
        let read = try #require(CommandGoal.Verdict.read(verdict.term(revision: 7)))
        #expect(read.verdict == verdict && read.revision == 7)
        #expect(CommandGoal.Verdict.read(.tuple([.atom("waiting"), 1, 2])) == nil)
    }
}
