package import Transport

/// Keeps one OS process of an instance running, as long as that is wanted. It does no I/O and reads
/// no clock: its owner performs the actions and reports what happened.
///
/// | status     | what it means |
/// |------------|---|
/// | `idle`     | nothing runs, and nothing is wanted |
/// | `starting` | a process is being started, or runs and is not ready yet |
/// | `running`  | the process is ready |
/// | `stopping` | the process was asked to end; another one may be started after it |
/// | `backoff`  | the process ended unasked; another one is started after a delay |
/// | `failed`   | no process started (no executable, folder, …); retried after the same delays |
///
/// Any end that nobody asked for is a crash, exit status 0 included. Each `.spawn` is answered by
/// one ``spawned(_:now:)`` or one ``spawnFailed(reason:now:)``. Each process that was spawned or
/// adopted ends in one ``exited(_:now:)`` and then one ``sessionEnded(now:)``; nothing else is
/// spawned before that. Counters continue across stops. The count of crashes in a row starts again
/// at zero when someone asks for a start or a restart, and after a healthy run.
package struct InstanceMachine: Equatable, Sendable {
    /// From SIGTERM to SIGKILL.
    package let stopTimeout: Duration
    package private(set) var restarts: Restarts
    /// Crashes and failed starts since the last healthy run, or since someone asked for a start.
    package private(set) var consecutiveCrashes = 0
    private var phase = Phase.idle

    private static let backoff = Backoff()
    /// SIGKILL is repeated at this interval until the process is gone.
    private static let killInterval: Duration = .seconds(1)

    package init(stopTimeout: Duration = .seconds(10), restarts: Restarts = Restarts()) {
        self.stopTimeout = stopTimeout
        self.restarts = restarts
    }

    /// Each case holds the values that exist only in its phase.
    private enum Phase: Equatable {
        case idle
        case spawning(then: AfterSpawn)
        case alive(Process, readySince: MonotonicTime?)
        case stopping(Process, Stop)
        case waiting(Wait)
    }

    private struct Process: Equatable {
        var identity: ProcessIdentity
        var since: MonotonicTime
    }

    private enum AfterSpawn: Equatable {
        case keep, stop, restart
    }

    private struct Stop: Equatable {
        /// When SIGKILL follows, or is repeated.
        var killAt: MonotonicTime
        var isKilled = false
        /// Set when the leader has ended, although the rest of its session may not have.
        var exit: ProcessExit?
        var startsAgain: Bool
    }

    private struct Wait: Equatable {
        var until: MonotonicTime
        /// The leader, which has ended; `nil` once the rest of its session is gone, too.
        var ending: Process?
        var exit: ProcessExit?
        var cannotStart = false
    }
}

// MARK: What it is

extension InstanceMachine {
    package var status: Status {
        switch phase {
        case .idle: .idle
        case .spawning(then: .keep): .starting
        case .spawning(then: .stop), .spawning(then: .restart): .stopping
        case .alive(_, readySince: nil): .starting
        case .alive: .running
        case .stopping: .stopping
        case .waiting(let wait): wait.cannotStart ? .failed : .backoff
        }
    }

    /// The process, from its start until it has exited.
    package var identity: ProcessIdentity? {
        process?.identity
    }

    /// When that process was started.
    package var startedAt: MonotonicTime? {
        process?.since
    }

    private var process: Process? {
        switch phase {
        case .idle, .spawning, .waiting: nil
        case .alive(let process, _): process
        case .stopping(let process, let stop): stop.exit == nil ? process : nil
        }
    }

    /// When ``timePassed(now:)`` wants to be called next.
    package var nextDeadline: MonotonicTime? {
        switch phase {
        case .idle, .spawning: nil
        case .alive(_, let readySince):
            consecutiveCrashes == 0 ? nil : readySince.map { healthyTime(readySince: $0) }
        case .stopping(_, let stop):
            // Once the leader has ended, the session itself finishes killing the rest.
            stop.exit == nil || !stop.isKilled ? stop.killAt : nil
        case .waiting(let wait):
            wait.ending == nil ? wait.until : nil
        }
    }

    private func healthyTime(readySince: MonotonicTime) -> MonotonicTime {
        readySince + Self.backoff.healthyAfter
    }
}

// MARK: What is asked for

extension InstanceMachine {
    /// The instance is to run.
    package mutating func startRequested(now: MonotonicTime) -> [Action] {
        switch phase {
        case .idle:
            return spawnAfresh()
        case .spawning(then: .keep), .spawning(then: .restart), .alive:
            return []
        case .spawning(then: .stop):
            phase = .spawning(then: .restart)
            return []
        case .stopping(let process, var stop):
            stop.startsAgain = true
            phase = .stopping(process, stop)
            return []
        case .waiting(let wait):
            return startWaiting(wait, now: now)
        }
    }

    /// The instance is to stop and to stay stopped.
    package mutating func stopRequested(now: MonotonicTime) -> [Action] {
        switch phase {
        case .idle:
            return [.report(.stopped(nil))]
        case .spawning:
            phase = .spawning(then: .stop)
            return []
        case .alive(let process, _):
            return beginStop(process, startsAgain: false, now: now)
        case .stopping(let process, var stop):
            stop.startsAgain = false
            phase = .stopping(process, stop)
            return []
        case .waiting(let wait):
            consecutiveCrashes = 0
            guard let process = wait.ending else {
                phase = .idle
                return [.report(.stopped(nil))]
            }
            // Only the rest of the session still has to end, and it is being killed.
            phase = .stopping(
                process,
                Stop(
                    killAt: now, isKilled: true, exit: wait.exit ?? .unknown, startsAgain: false))
            return []
        }
    }

    /// The instance is to stop at once. SIGTERM would have no effect on a process that restarts
    /// itself.
    package mutating func killRequested(now: MonotonicTime) -> [Action] {
        guard case .alive(let process, _) = phase else { return stopRequested(now: now) }
        consecutiveCrashes = 0
        return kill(process, startsAgain: false, now: now)
    }

    /// The operator wants a new process in place of the one that runs, if any. It counts as a
    /// forced restart unless it only repeats one that is under way.
    package mutating func restartRequested(now: MonotonicTime) -> [Action] {
        switch phase {
        case .idle:
            restarts.forced += 1
            return spawnAfresh()
        case .spawning(then: .restart):
            return []
        case .spawning(then: .keep), .spawning(then: .stop):
            restarts.forced += 1
            phase = .spawning(then: .restart)
            return []
        case .alive(let process, _):
            restarts.forced += 1
            return beginStop(process, startsAgain: true, now: now)
        case .stopping(let process, var stop):
            guard !stop.startsAgain else { return [] }
            restarts.forced += 1
            stop.startsAgain = true
            phase = .stopping(process, stop)
            return []
        case .waiting(let wait):
            restarts.forced += 1
            return startWaiting(wait, now: now)
        }
    }

    private mutating func spawnAfresh() -> [Action] {
        consecutiveCrashes = 0
        phase = .spawning(then: .keep)
        return [.spawn]
    }

    private mutating func startWaiting(_ wait: Wait, now: MonotonicTime) -> [Action] {
        guard wait.ending != nil else { return spawnAfresh() }
        // The rest of the old session may still hold the port.
        consecutiveCrashes = 0
        var wait = wait
        wait.until = now
        phase = .waiting(wait)
        return []
    }

    private mutating func beginStop(
        _ process: Process, startsAgain: Bool, now: MonotonicTime
    ) -> [Action] {
        consecutiveCrashes = 0
        phase = .stopping(process, Stop(killAt: now + stopTimeout, startsAgain: startsAgain))
        return [.terminate]
    }
}

// MARK: What happened

extension InstanceMachine {
    private mutating func kill(
        _ process: Process, startsAgain: Bool, now: MonotonicTime
    ) -> [Action] {
        let next = now + Self.killInterval
        phase = .stopping(process, Stop(killAt: next, isKilled: true, startsAgain: startsAgain))
        return [.killSession]
    }

    /// The process that `.spawn` asked for exists.
    package mutating func spawned(_ identity: ProcessIdentity, now: MonotonicTime) -> [Action] {
        guard case .spawning(let then) = phase else {
            preconditionFailure("A process was spawned that was not asked for")
        }
        let process = Process(identity: identity, since: now)
        phase = .alive(process, readySince: nil)
        guard then != .keep else { return [.report(.started(identity))] }
        return [.report(.started(identity))]
            + beginStop(process, startsAgain: then == .restart, now: now)
    }

    /// No process could be started for `.spawn`.
    package mutating func spawnFailed(reason: String, now: MonotonicTime) -> [Action] {
        guard case .spawning(let then) = phase else {
            preconditionFailure("A process failed to start that was not asked for")
        }
        switch then {
        case .keep:
            consecutiveCrashes += 1
            let delay = Self.backoff.delay(consecutiveCrashes: consecutiveCrashes)
            phase = .waiting(Wait(until: now + delay, cannotStart: true))
            return [
                .report(.cannotStart(reason: reason, count: consecutiveCrashes, restartIn: delay))
            ]
        case .stop:
            consecutiveCrashes = 0
            phase = .idle
            return [.report(.stopped(nil))]
        case .restart:
            return [.report(.stopped(nil))] + spawnAfresh()
        }
    }

    /// A process of this instance was found alive. An earlier deployex started it, at `since`.
    package mutating func adopted(
        _ identity: ProcessIdentity, since: MonotonicTime, now: MonotonicTime
    ) -> [Action] {
        guard case .idle = phase else {
            preconditionFailure("Only an idle instance adopts a process")
        }
        phase = .alive(Process(identity: identity, since: min(since, now)), readySince: nil)
        return []
    }

    /// The process that an earlier deployex had started ended while nobody watched. This is a crash
    /// like any other, but its back-off is over.
    package mutating func endedUnseen() {
        guard case .idle = phase else { preconditionFailure("Told of before anything is started") }
        restarts.crash += 1
    }

    /// The process lives, and the program in it has restarted itself: a crash whose restart is
    /// already done.
    package mutating func rebootedInPlace(now: MonotonicTime) -> [Action] {
        guard case .alive(let process, _) = phase else { return [] }
        consecutiveCrashes += 1
        restarts.crash += 1
        phase = .alive(process, readySince: nil)
        return [.report(.rebooted(count: consecutiveCrashes))]
    }

    /// The process lives but does not respond any more. It is killed, which counts as a crash, and
    /// another one is started.
    package mutating func hung(now: MonotonicTime) -> [Action] {
        guard case .alive(let process, _) = phase else { return [] }
        restarts.crash += 1
        // SIGTERM would have no effect on a process that does nothing.
        return kill(process, startsAgain: true, now: now)
    }

    /// The process serves. Late or repeated reports are ignored.
    package mutating func becameReady(now: MonotonicTime) -> [Action] {
        guard case .alive(let process, readySince: nil) = phase else { return [] }
        phase = .alive(process, readySince: now)
        return [.report(.ready)]
    }

    /// The leader of the session has ended; the rest of it is being ended, too.
    package mutating func exited(_ exit: ProcessExit, now: MonotonicTime) -> [Action] {
        switch phase {
        case .alive(let process, let readySince):
            if let readySince, now >= healthyTime(readySince: readySince) {
                consecutiveCrashes = 0
            }
            consecutiveCrashes += 1
            restarts.crash += 1
            let delay = Self.backoff.delay(consecutiveCrashes: consecutiveCrashes)
            phase = .waiting(Wait(until: now + delay, ending: process, exit: exit))
            return [.report(.crashed(exit, count: consecutiveCrashes, restartIn: delay))]
        case .stopping(let process, var stop):
            precondition(stop.exit == nil, "A process exits once")
            stop.exit = exit
            phase = .stopping(process, stop)
            return []
        case .idle, .spawning, .waiting:
            preconditionFailure("No process runs that could exit")
        }
    }

    /// Nothing of the session is left, not even its exited leader.
    package mutating func sessionEnded(now: MonotonicTime) -> [Action] {
        switch phase {
        case .stopping(_, let stop):
            precondition(stop.exit != nil, "A session ends after its leader")
            phase = .idle
            return [.report(.stopped(stop.exit))] + (stop.startsAgain ? spawnAfresh() : [])
        case .waiting(var wait):
            precondition(wait.ending != nil, "A session ends once")
            wait.ending = nil
            phase = .waiting(wait)
            return timePassed(now: now)
        case .idle, .spawning, .alive:
            preconditionFailure("A session ends after its leader")
        }
    }

    /// ``nextDeadline`` may have passed. Calling this early or often does no harm.
    package mutating func timePassed(now: MonotonicTime) -> [Action] {
        guard let deadline = nextDeadline, now >= deadline else { return [] }
        switch phase {
        case .idle, .spawning:
            return []
        case .alive:
            consecutiveCrashes = 0
            return []
        case .stopping(let process, var stop):
            let isFirst = !stop.isKilled
            stop.isKilled = true
            stop.killAt = now + Self.killInterval
            phase = .stopping(process, stop)
            return isFirst ? [.killSession, .report(.killed)] : [.killSession]
        case .waiting:
            phase = .spawning(then: .keep)
            return [.spawn]
        }
    }
}
