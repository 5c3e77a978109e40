import Testing
import Transport

@testable import Supervisor

extension MonotonicTime {
    static func s(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(seconds * 1e9))
    }
}

let first = ProcessIdentity(pid: 100, startTicks: 1, bootID: "b")
let second = ProcessIdentity(pid: 200, startTicks: 2, bootID: "b")

@Suite struct InstanceMachineTests {
    var machine = InstanceMachine()

    /// A machine whose process `first` was started at 0 s and became ready at 1 s.
    static var running: InstanceMachine {
        var machine = InstanceMachine()
        _ = machine.startRequested(now: .s(0))
        _ = machine.spawned(first, now: .s(0))
        _ = machine.becameReady(now: .s(1))
        return machine
    }

    /// A machine that waits to restart after `first` crashed at 2 s; its session has ended.
    static var backingOff: InstanceMachine {
        var machine = running
        _ = machine.exited(.code(1), now: .s(2))
        _ = machine.sessionEnded(now: .s(2))
        return machine
    }

    @Test mutating func `a start spawns, and readiness makes it run`() {
        #expect(machine.status == .idle)
        #expect(machine.startRequested(now: .s(0)) == [.spawn])
        #expect(machine.status == .starting)
        #expect(machine.identity == nil)
        #expect(machine.spawned(first, now: .s(0.1)) == [.report(.started(first))])
        #expect(machine.status == .starting)
        #expect(machine.identity == first)
        #expect(machine.startedAt == .s(0.1))
        #expect(machine.becameReady(now: .s(1)) == [.report(.ready)])
        #expect(machine.status == .running)
        #expect(machine.becameReady(now: .s(2)) == [])
        #expect(machine.startRequested(now: .s(3)) == [])
        #expect(machine.nextDeadline == nil)
    }

    @Test(arguments: [ProcessExit.code(0), .code(1), .signal(9), .unknown])
    func `any exit that was not asked for is a crash`(_ exit: ProcessExit) {
        var machine = Self.running
        #expect(
            machine.exited(exit, now: .s(2)) == [
                .report(.crashed(exit, count: 1, restartIn: .seconds(1)))
            ])
        #expect(machine.status == .backoff)
        #expect(machine.identity == nil)
        #expect(machine.nextDeadline == nil)
        #expect(machine.sessionEnded(now: .s(2.1)) == [])
        #expect(machine.nextDeadline == .s(3))
        #expect(machine.timePassed(now: .s(2.9)) == [])
        #expect(machine.timePassed(now: .s(3)) == [.spawn])
        #expect(machine.restarts == .init(crash: 1, forced: 0))
    }

    @Test func `nothing is spawned while something of the crashed session is left`() {
        var machine = Self.running
        _ = machine.exited(.code(1), now: .s(2))
        #expect(machine.timePassed(now: .s(60)) == [])
        #expect(machine.startRequested(now: .s(60)) == [])
        #expect(machine.sessionEnded(now: .s(61)) == [.spawn])
    }

    @Test func `crashes in a row wait longer, up to the maximum`() {
        var machine = Self.running
        var delays: [Duration] = []
        var now = MonotonicTime.s(2)
        for _ in 0..<8 {
            guard case .report(.crashed(_, _, let delay)) = machine.exited(.code(1), now: now)[0]
            else {
                Issue.record("not a crash")
                return
            }
            delays.append(delay)
            _ = machine.sessionEnded(now: now)
            now = now + delay
            #expect(machine.timePassed(now: now) == [.spawn])
            _ = machine.spawned(second, now: now)
        }
        #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60].map { Duration.seconds($0) })
        #expect(machine.restarts.crash == 8)
    }

    @Test func `a healthy run makes the next crash the first again`() {
        var machine = Self.backingOff
        _ = machine.timePassed(now: .s(3))
        _ = machine.spawned(second, now: .s(3))
        _ = machine.becameReady(now: .s(4))
        #expect(machine.consecutiveCrashes == 1)
        #expect(machine.nextDeadline == .s(34))
        #expect(machine.timePassed(now: .s(34)) == [])
        #expect(machine.consecutiveCrashes == 0)
        #expect(machine.nextDeadline == nil)
        #expect(
            machine.exited(.code(1), now: .s(40)) == [
                .report(.crashed(.code(1), count: 1, restartIn: .seconds(1)))
            ])
        #expect(machine.restarts.crash == 2)
    }

    @Test func `a crash counts as the first even when the healthy run's end was not noticed`() {
        var machine = Self.backingOff
        _ = machine.timePassed(now: .s(3))
        _ = machine.spawned(second, now: .s(3))
        _ = machine.becameReady(now: .s(4))
        #expect(
            machine.exited(.code(1), now: .s(34)) == [
                .report(.crashed(.code(1), count: 1, restartIn: .seconds(1)))
            ])
    }

    @Test func `a process that was never ready was not healthy, however long it ran`() {
        var machine = Self.backingOff
        _ = machine.timePassed(now: .s(3))
        _ = machine.spawned(second, now: .s(3))
        #expect(
            machine.exited(.code(1), now: .s(3000)) == [
                .report(.crashed(.code(1), count: 2, restartIn: .seconds(2)))
            ])
    }

    @Test func `a stop is SIGTERM, and complete when the session has ended`() {
        var machine = Self.running
        #expect(machine.stopRequested(now: .s(5)) == [.terminate])
        #expect(machine.status == .stopping)
        #expect(machine.nextDeadline == .s(15))
        #expect(machine.exited(.signal(15), now: .s(6)) == [])
        #expect(machine.status == .stopping)
        #expect(machine.nextDeadline == .s(15))
        #expect(machine.sessionEnded(now: .s(6)) == [.report(.stopped(.signal(15)))])
        #expect(machine.status == .idle)
        #expect(machine.restarts == .init())
    }

    @Test func `what a wrapper script leaves behind has the rest of the time, and is killed then`()
    {
        var machine = Self.running
        _ = machine.stopRequested(now: .s(5))
        _ = machine.exited(.signal(15), now: .s(6))
        #expect(machine.timePassed(now: .s(14.9)) == [])
        #expect(machine.timePassed(now: .s(15)) == [.killSession, .report(.killed)])
        #expect(machine.nextDeadline == nil)
        #expect(machine.sessionEnded(now: .s(15)) == [.report(.stopped(.signal(15)))])
    }

    @Test func `a process that ignores SIGTERM is killed with its session, again and again`() {
        var machine = Self.running
        _ = machine.stopRequested(now: .s(5))
        #expect(machine.timePassed(now: .s(14.9)) == [])
        #expect(machine.timePassed(now: .s(15)) == [.killSession, .report(.killed)])
        #expect(machine.timePassed(now: .s(15.5)) == [])
        #expect(machine.timePassed(now: .s(16)) == [.killSession])
        #expect(machine.exited(.signal(9), now: .s(16)) == [])
        #expect(machine.sessionEnded(now: .s(16)) == [.report(.stopped(.signal(9)))])
    }

    @Test func `a start requested while stopping starts after the stop`() {
        var machine = Self.running
        _ = machine.stopRequested(now: .s(5))
        #expect(machine.startRequested(now: .s(6)) == [])
        _ = machine.exited(.code(0), now: .s(7))
        #expect(machine.sessionEnded(now: .s(7)) == [.report(.stopped(.code(0))), .spawn])
        #expect(machine.status == .starting)
    }

    @Test func `a stop takes back a start that waits for an earlier stop`() {
        var machine = Self.running
        _ = machine.stopRequested(now: .s(5))
        _ = machine.startRequested(now: .s(6))
        #expect(machine.stopRequested(now: .s(6)) == [])
        _ = machine.exited(.code(0), now: .s(7))
        #expect(machine.sessionEnded(now: .s(7)) == [.report(.stopped(.code(0)))])
    }

    @Test func `a stop during backoff is immediate`() {
        var machine = Self.backingOff
        #expect(machine.stopRequested(now: .s(2.5)) == [.report(.stopped(nil))])
        #expect(machine.status == .idle)
        #expect(machine.timePassed(now: .s(3)) == [])
    }

    @Test func `a stop right after a crash waits for the rest of the session`() {
        var machine = Self.running
        _ = machine.exited(.code(1), now: .s(2))
        #expect(machine.stopRequested(now: .s(2)) == [])
        #expect(machine.status == .stopping)
        #expect(machine.startRequested(now: .s(2)) == [])
        #expect(machine.sessionEnded(now: .s(3)) == [.report(.stopped(.code(1))), .spawn])
    }

    @Test func `a start or restart during backoff is immediate and resets the crash count`() {
        var machine = Self.backingOff
        #expect(machine.startRequested(now: .s(2.5)) == [.spawn])
        #expect(machine.consecutiveCrashes == 0)
        #expect(machine.restarts == .init(crash: 1, forced: 0))

        machine = Self.backingOff
        #expect(machine.restartRequested(now: .s(2.5)) == [.spawn])
        #expect(machine.consecutiveCrashes == 0)
        #expect(machine.restarts == .init(crash: 1, forced: 1))
    }

    @Test func `a forced restart stops, starts and is counted once`() {
        var machine = Self.running
        #expect(machine.restartRequested(now: .s(5)) == [.terminate])
        #expect(machine.restartRequested(now: .s(5)) == [])
        _ = machine.exited(.code(0), now: .s(6))
        #expect(machine.sessionEnded(now: .s(6)) == [.report(.stopped(.code(0))), .spawn])
        #expect(machine.restarts == .init(crash: 0, forced: 1))
    }

    @Test mutating func `a stop while the process is being made follows its making`() {
        _ = machine.startRequested(now: .s(0))
        #expect(machine.stopRequested(now: .s(0)) == [])
        #expect(machine.status == .stopping)
        #expect(machine.spawned(first, now: .s(1)) == [.report(.started(first)), .terminate])
        #expect(machine.nextDeadline == .s(11))
    }

    @Test mutating func `a stop while the process is being made is complete when it cannot be`() {
        _ = machine.startRequested(now: .s(0))
        _ = machine.stopRequested(now: .s(0))
        #expect(machine.spawnFailed(reason: "no", now: .s(1)) == [.report(.stopped(nil))])
        #expect(machine.status == .idle)
    }

    @Test mutating func `what cannot be started is failed, and tried again`() {
        _ = machine.startRequested(now: .s(0))
        #expect(
            machine.spawnFailed(reason: "no such file", now: .s(0)) == [
                .report(.cannotStart(reason: "no such file", count: 1, restartIn: .seconds(1)))
            ])
        #expect(machine.status == .failed)
        #expect(machine.restarts.crash == 0)
        #expect(machine.timePassed(now: .s(1)) == [.spawn])
        #expect(
            machine.spawnFailed(reason: "no such file", now: .s(1)) == [
                .report(.cannotStart(reason: "no such file", count: 2, restartIn: .seconds(2)))
            ])
    }

    @Test mutating func `an adopted process is watched, and counts go on`() {
        machine = InstanceMachine(restarts: .init(crash: 3, forced: 2))
        #expect(machine.adopted(first, since: .s(-500), now: .s(0)) == [])
        #expect(machine.status == .starting)
        #expect(machine.startedAt == .s(-500))
        _ = machine.becameReady(now: .s(0.5))
        #expect(
            machine.exited(.unknown, now: .s(1)) == [
                .report(.crashed(.unknown, count: 1, restartIn: .seconds(1)))
            ])
        #expect(machine.restarts == .init(crash: 4, forced: 2))
    }

    @Test mutating func `a stop of an idle instance is complete at once`() {
        #expect(machine.stopRequested(now: .s(0)) == [.report(.stopped(nil))])
    }

    @Test func `late news of readiness are ignored`() {
        var machine = Self.running
        _ = machine.stopRequested(now: .s(5))
        #expect(machine.becameReady(now: .s(5)) == [])
        #expect(machine.status == .stopping)
    }
}
