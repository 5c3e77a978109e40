internal import Glibc
package import Transport

/// A process that leads a session of its own, from its start or adoption until nothing of the
/// session is left.
///
/// It reports ``Event/exited(_:)`` once and then ``Event/ended(survivors:)`` once, on the loop's
/// thread. Dropping the object neither signals nor loses the process; its events go on.
///
/// The invariant behind `@unchecked Sendable`: mutable state is touched on the loop's thread only.
package final class ProcessSession: RunningSession, @unchecked Sendable {
    package enum Event: Equatable, Sendable {
        /// The leader has ended. The rest of its session is being killed.
        case exited(ProcessExit)
        /// Nothing is left, save `survivors` that not even SIGKILL ended within five seconds, as
        /// when they wait for a disk. The pid is free from now on.
        case ended(survivors: Int)
    }

    package var identity: ProcessIdentity { leader.identity }

    private let loop: EventLoop
    private let leader: ProcessHandle
    private let isChild: Bool
    private let onEvent: (Event) -> Void
    private var token: EventLoop.WatchToken?
    /// Members found so far, held so that they can be signalled whatever becomes of the leader.
    private var known: [ProcessHandle] = []
    /// Searches under way: the leader is reaped after the last of them.
    private var searchCount = 0
    private var survivorsAtEnd: Int?

    private init(
        leader: ProcessHandle, isChild: Bool, loop: EventLoop, onEvent: @escaping (Event) -> Void
    ) throws(SystemError) {
        self.leader = leader
        self.isChild = isChild
        self.loop = loop
        self.onEvent = onEvent
        token = try loop.watch(leader.raw, for: .readable) { [self] _ in leaderExited() }
    }

    /// Starts a program; called on the loop's thread, by an actor that is pinned to it.
    ///
    /// `record` runs elsewhere, after the process exists and before it becomes the program: it
    /// writes the identity to disk. When it throws, and when deployex is killed meanwhile, the
    /// program does not run. No event comes before the call has returned.
    package nonisolated(nonsending) static func start(
        _ program: Program, on loop: EventLoop,
        record: @escaping @Sendable (ProcessIdentity) throws -> Void = { _ in },
        onEvent: @escaping (Event) -> Void
    ) async throws -> ProcessSession {
        let leader = try await offload { () throws -> ProcessHandle in
            let held = try HeldProcess.start(program)
            do {
                try record(held.handle.identity)
            } catch {
                held.abandon()
                throw SpawnError("recording the start of \(program.path): \(error)")
            }
            return try held.release()
        }
        do {
            return try ProcessSession(leader: leader, isChild: true, loop: loop, onEvent: onEvent)
        } catch {
            // A process that nobody watches must not stay.
            await offload { leader.killAndReap() }
            throw SpawnError("watching \(program.path): \(error)")
        }
    }

    /// Takes over a process that an earlier deployex started; called on the loop's thread. `nil`
    /// when no running process has that identity. How it ends is `.unknown`: it is not our child.
    package nonisolated(nonsending) static func adopt(
        _ identity: ProcessIdentity, on loop: EventLoop, onEvent: @escaping (Event) -> Void
    ) async throws -> ProcessSession? {
        let found = await offload { () -> (ProcessHandle, [ProcessHandle])? in
            guard let leader = ProcessHandle(identity), !leader.hasExited else { return nil }
            let members = SessionMembers(leader: leader, isLeaderReserved: false)
            return (leader, members.find(known: []))
        }
        guard let (leader, members) = found else { return nil }
        let session = try ProcessSession(
            leader: leader, isChild: false, loop: loop, onEvent: onEvent)
        session.known = members
        return session
    }

    /// Tells which sockets its processes hold.
    package var sockets: SessionSockets? {
        SessionSockets(leader: leader, isLeaderReserved: isChild, known: known)
    }

    package func includes(_ pid: Int32) async -> Bool {
        let sockets = SessionSockets(leader: leader, isLeaderReserved: isChild, known: known)
        return await offload { sockets.includes(pid) }
    }

    /// Whether the leader has not ended.
    package var isRunning: Bool { !leader.hasExited }

    /// Sends SIGTERM to the leader, soon. Does nothing once it has ended.
    package func terminate() {
        search { leader, _ in leader.send(SIGTERM) }
    }

    /// Sends SIGKILL to the leader and to all that belongs to it, soon.
    package func killSession() {
        search { leader, members in
            // The leader first: a BEAM's heart or a shell must not react to the others' end.
            leader.send(SIGKILL)
            for member in members { member.send(SIGKILL) }
        }
    }

    /// Begins a search for the members, to signal them.
    private func search(_ signal: @escaping @Sendable (ProcessHandle, [ProcessHandle]) -> Void) {
        guard survivorsAtEnd == nil else { return }
        precondition(loop.isCurrent, "Not on the event loop's thread")
        searchCount += 1
        // It ends by itself within milliseconds, and keeps the session until then.
        Task(executorPreference: loop) { [self] in
            _ = await find(signal)
            searchCount -= 1
            endIfPossible()
        }
    }

    /// Looks up the members elsewhere, signals, and remembers them.
    private func find(
        _ signal: @escaping @Sendable (ProcessHandle, [ProcessHandle]) -> Void
    ) async -> [ProcessHandle] {
        let (leader, isChild, before) = (leader, isChild, known)
        let members = await offload {
            let members = SessionMembers(leader: leader, isLeaderReserved: isChild)
                .find(known: before)
            signal(leader, members)
            return members
        }
        var byPID: [Int32: ProcessHandle] = [:]
        for member in known + members where !member.hasExited {
            byPID[member.identity.pid] = member
        }
        known = Array(byPID.values)
        return members
    }

    private func leaderExited() {
        guard let token else { return }
        loop.unwatch(token)
        self.token = nil
        // Not reaped yet: as long as the leader is a zombie nobody else gets its pid, and so what
        // has its number as session id is of this session.
        let status = isChild ? leader.exitStatus(reaping: false) : nil
        onEvent(.exited(status ?? .unknown))
        Task(executorPreference: loop) { [self] in
            survivorsAtEnd = await sweep()
            endIfPossible()
        }
    }

    /// Kills what is left until nothing is; returns how many would not end.
    private func sweep() async -> Int {
        let deadline = MonotonicTime.now + .seconds(5)
        var pause = Duration.milliseconds(2)
        while true {
            let members = await find { _, members in
                for member in members { member.send(SIGKILL) }
            }
            // Those that were signalled just now are gone only when a later look finds none.
            if members.isEmpty || MonotonicTime.now >= deadline { return members.count }
            await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private func endIfPossible() {
        guard searchCount == 0, let survivors = survivorsAtEnd else { return }
        if isChild { _ = leader.exitStatus(reaping: true) }
        known = []
        onEvent(.ended(survivors: survivors))
    }
}
