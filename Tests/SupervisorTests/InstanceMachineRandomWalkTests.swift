import TestKit
import Testing
import Transport

@testable import Supervisor

/// A host that does what the machine says, in its own time, and checks what it is told.
struct WalkedHost {
    enum Process: Equatable { case none, asked, alive, zombie }

    var machine = InstanceMachine()
    var random: SeededRandom
    var now = MonotonicTime(nanoseconds: 0)
    var process = Process.none
    var isKilled = false
    var terminatedAt: MonotonicTime?
    var nextPID: Int32 = 1
    var reports: [InstanceMachine.Report] = []
    var violations: [String] = []
    var spawnCount = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func perform(_ actions: [InstanceMachine.Action]) {
        for action in actions {
            switch action {
            case .spawn:
                if process != .none { violations.append("spawned beside a process") }
                process = .asked
                isKilled = false
                spawnCount += 1
            case .terminate:
                if process != .alive { violations.append("terminated nothing") }
                terminatedAt = now
            case .killSession:
                // The rest of its session is killed as well when the leader has ended.
                if process != .alive, process != .zombie { violations.append("killed nothing") }
                isKilled = true
            case .report(let report):
                reports.append(report)
                if case .stopped = report {
                    if process != .none { violations.append("stopped with a process") }
                    terminatedAt = nil
                }
                if case .crashed(_, let count, let delay) = report {
                    check(delay: delay, count: count)
                }
                if case .cannotStart(_, let count, let delay) = report {
                    check(delay: delay, count: count)
                }
            }
        }
        if let terminatedAt, process == .alive, !isKilled,
            now > terminatedAt + machine.stopTimeout + .seconds(1)
        {
            violations.append("a stop took too long")
        }
        switch machine.status {
        case .idle where process != .none: violations.append("idle with a process")
        case .running where process != .alive: violations.append("running without a process")
        case .backoff where process == .none && machine.nextDeadline == nil:
            violations.append("waits for ever")
        case .idle, .starting, .running, .stopping, .backoff, .failed: break
        }
    }

    mutating func check(delay: Duration, count: Int) {
        if delay < .seconds(1) || delay > .seconds(60) || count < 1 {
            violations.append("a delay out of bounds")
        }
    }

    mutating func step() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: perform(machine.startRequested(now: now))
        case 1: perform(machine.stopRequested(now: now))
        case 2: perform(machine.restartRequested(now: now))
        case 3...7: advanceProcess()
        case 8, 9: perform(machine.becameReady(now: now))
        default: passTime()
        }
    }

    mutating func advanceProcess() {
        switch process {
        case .none: return
        case .asked where Int.random(in: 0..<4, using: &random) == 0:
            process = .none
            perform(machine.spawnFailed(reason: "no", now: now))
        case .asked:
            process = .alive
            let identity = ProcessIdentity(
                pid: nextPID, startTicks: UInt64(nextPID), bootID: "b")
            nextPID += 1
            perform(machine.spawned(identity, now: now))
        case .alive:
            // A stubborn process ends by SIGKILL only.
            guard isKilled || Int.random(in: 0..<3, using: &random) == 0 else { return }
            process = .zombie
            perform(machine.exited(isKilled ? .signal(9) : .code(0), now: now))
        case .zombie:
            process = .none
            perform(machine.sessionEnded(now: now))
        }
    }

    mutating func passTime() {
        if let deadline = machine.nextDeadline, Bool.random(using: &random) {
            now = max(now, deadline)
        } else {
            now = now + .milliseconds(Int.random(in: 0..<1000, using: &random))
        }
        perform(machine.timePassed(now: now))
    }

    /// From wherever it is: a stop must end, whatever the process does, once exits are delivered.
    mutating func stopForGood() {
        perform(machine.stopRequested(now: now))
        for _ in 0..<8 where machine.status != .idle {
            if process == .alive, !isKilled {
                now = max(now, machine.nextDeadline ?? now)
                perform(machine.timePassed(now: now))
            } else {
                advanceProcess()
            }
        }
        if machine.status != .idle { violations.append("a stop never ended") }
    }
}

@Suite struct InstanceMachineRandomWalkTests {
    @Test func `on any walk, processes never overlap, stops end and delays are bounded`() {
        var spawnCount = 0
        for seed in UInt64(0)..<1_500 {
            var host = WalkedHost(seed: seed)
            for _ in 0..<300 { host.step() }
            host.stopForGood()
            #expect(host.violations == [], "seed \(seed)")
            if !host.violations.isEmpty { return }
            spawnCount += host.spawnCount
        }
        // The walk must not have gone nowhere.
        #expect(spawnCount > 10_000)
    }
}
