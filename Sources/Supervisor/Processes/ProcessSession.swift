internal import Glibc
package import Transport

/// A process that leads a session of its own, from its start or adoption until nothing of the
/// session is left.
///
/// It reports ``Event/exited(_:)`` once and then ``Event/ended(survivors:)`` once, on the loop's
/// thread. Dropping the object does not signal or lose the process: its events continue.
///
/// The invariant behind `@unchecked Sendable`: mutable state is touched on the loop's thread only.
package final class ProcessSession: RunningSession, @unchecked Sendable {
    package enum Event: Equatable, Sendable {
        /// A process has left the session and lives on without a parent. Whoever receives this
        /// records it. The process is ended together with the session.
        case left(ProcessIdentity)
        /// The leader has ended. The rest of its session is being ended, too. If the leader was
        /// asked to end, the rest is asked as well; if it ended by itself, the rest is killed.
        case exited(ProcessExit)
        /// Nothing is left, except `survivors` processes that not even SIGKILL ended within five
        /// seconds, for example because they wait for a disk. The pid is free from now on. A
        /// process that was asked to end and does not end delays this event until
        /// ``ProcessSession/killSession()``.
        case ended(survivors: Int)
    }

    package var identity: ProcessIdentity { leader.identity }

    private let loop: EventLoop
    private let leader: ProcessHandle
    private let isChild: Bool
    private let onEvent: (Event) -> Void
    private let orphans: Orphans?
    /// The mark by which its orphans are known.
    private let mark: String?
    /// The user that the program was started as.
    private let owner: UInt32
    /// The control group that its processes cannot leave by themselves.
    private let group: ControlGroup?
    private var token: EventLoop.WatchToken?
    /// The members found so far. They are held open so that they can be signalled even if the
    /// leader is gone.
    private var known: [ProcessHandle] = []
    /// The number of running searches: the leader is reaped after the last of them.
    private var searchCount = 0
    private var survivorsAtEnd: Int?
    /// Set once SIGTERM is being sent, or was sent; its value is the processes that have got it.
    private var asking: Task<Set<ProcessIdentity>, Never>?
    private var isKilled = false

    private init(
        leader: ProcessHandle, isChild: Bool, orphans: Orphans?, mark: String?, owner: UInt32,
        group: ControlGroup?, loop: EventLoop,
        onEvent: @escaping (Event) -> Void
    ) throws(SystemError) {
        self.leader = leader
        self.isChild = isChild
        self.orphans = orphans
        self.mark = mark
        self.owner = owner
        self.group = group
        self.loop = loop
        self.onEvent = onEvent
        token = try loop.watch(leader.raw, for: .readable) { [self] _ in leaderExited() }
        guard let orphans, let mark else { return }
        orphans.listen(mark, of: owner) { [weak self] identity, session in
            // Members of the session itself are found there.
            guard let self, session != self.leader.identity.pid else { return }
            self.onEvent(.left(identity))
        }
    }

    /// Starts a program; called on the loop's thread, by an actor that is pinned to it.
    ///
    /// `record` runs elsewhere, after the process exists and before it becomes the program, and
    /// writes the identity to disk. If `record` throws, or deployex is killed meanwhile, the
    /// program does not run. No event comes before the call has returned.
    /// - Parameters:
    ///   - orphans: where orphans of the program are found, if the program has
    ///     ``Orphans/variable``.
    ///   - groups: where such a program gets a control group.
    ///   - warn: called with what the program does not get.
    package nonisolated(nonsending) static func start(
        _ program: Program, on loop: EventLoop, orphans: Orphans? = nil,
        groups: ControlGroups? = nil, warn: (String) -> Void = { _ in },
        record: @escaping @Sendable (ProcessIdentity) throws -> Void = { _ in },
        onEvent: @escaping (Event) -> Void
    ) async throws -> ProcessSession {
        let mark = program.environment[Orphans.variable]
        var group = mark.flatMap { groups?.group(marked: $0) }
        let wanted = group
        let (leader, problem, priority) = try await offload {
            () throws -> (ProcessHandle, problem: SystemError?, priority: [SystemError]) in
            let held = try HeldProcess.start(program)
            do {
                try record(held.handle.identity)
            } catch {
                held.abandon()
                throw SpawnError("recording the start of \(program.path): \(error)")
            }
            // Before the program can start anything.
            let problem = wanted.flatMap { $0.problem(joining: held.handle.identity.pid) }
            let pid = held.handle.identity.pid
            guard program.setting.hasUsualPriority else { return (try held.release(), problem, []) }
            let isRefused = !OwnPriority.undo(in: pid).isEmpty
            let leader = try held.release()
            // Until it is the program it hides its files in /proc, as we do, from all but root.
            let priority = isRefused ? OwnPriority.undo(in: pid) : []
            return (leader, problem, leader.hasExited ? [] : priority)
        }
        for problem in priority { warn("\(problem)") }
        if let problem {
            group = nil
            warn("\(problem): what leaves its session may outlive it")
        }
        do {
            return try ProcessSession(
                leader: leader, isChild: true, orphans: orphans, mark: mark,
                owner: program.setting.user?.id ?? geteuid(), group: group, loop: loop,
                onEvent: onEvent)
        } catch {
            // A process that nobody watches must not stay.
            await offload { leader.killAndReap() }
            throw SpawnError("watching \(program.path): \(error)")
        }
    }

    /// Takes over a process that an earlier deployex started; called on the loop's thread. The
    /// result is `nil` when no running process has that identity. Its exit is reported as
    /// `.unknown`, since it is not our child.
    /// - Parameters:
    ///   - others: the processes that an earlier deployex saw leave the session.
    ///   - groups: the control groups, of which one may be the process's.
    package nonisolated(nonsending) static func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity] = [], on loop: EventLoop,
        groups: ControlGroups? = nil, onEvent: @escaping (Event) -> Void
    ) async throws -> ProcessSession? {
        let found = await offload { () -> (ProcessHandle, ControlGroup?, [ProcessHandle])? in
            guard let leader = ProcessHandle(identity) else { return nil }
            let group = groups?.group(of: identity.pid)
            // A process that has not ended after the look had the pid during the look.
            guard !leader.hasExited else { return nil }
            let members = SessionMembers(leader: leader, isLeaderReserved: false, group: group)
            return (leader, group, members.find(known: others.compactMap { ProcessHandle($0) }))
        }
        guard let (leader, group, members) = found else { return nil }
        let session = try ProcessSession(
            leader: leader, isChild: false, orphans: nil, mark: nil, owner: geteuid(),
            group: group, loop: loop, onEvent: onEvent)
        session.known = members
        return session
    }

    /// Tells which sockets its processes hold.
    package var sockets: SessionSockets? { ownSockets }

    private var ownSockets: SessionSockets {
        SessionSockets(leader: leader, isLeaderReserved: isChild, known: known, group: group)
    }

    package func includes(_ pid: Int32) async -> Bool {
        let sockets = ownSockets
        return await offload { sockets.includes(pid) }
    }

    /// Whether the leader still runs.
    package var isRunning: Bool { !leader.hasExited }

    /// Sends SIGTERM to the leader, soon. If the leader is a wrapper script, the virtual machine
    /// below it gets SIGTERM too: a shell ends by the signal and does not pass it on. When these
    /// have ended, the rest gets it. Does nothing once the leader has ended.
    package func terminate() {
        let search = search { leader, members in
            let first = [leader] + VirtualMachine.topmost(of: members, below: leader)
            for process in first { process.send(SIGTERM) }
            return Set(first.map(\.identity))
        }
        asking = asking ?? search
    }

    /// Sends SIGKILL to the leader and to everything that belongs to it, soon.
    package func killSession() {
        isKilled = true
        search { leader, members in
            // The leader first: a BEAM's heart or a shell must not react to the others' end.
            leader.send(SIGKILL)
            for member in members { member.send(SIGKILL) }
            return []
        }
    }

    private typealias Signal =
        @Sendable (ProcessHandle, [ProcessHandle]) -> Set<ProcessIdentity>

    /// Begins a search for the members, and signals them.
    /// - Returns: the result of `signal`; `nil` once the session has ended.
    @discardableResult
    private func search(_ signal: @escaping Signal) -> Task<Set<ProcessIdentity>, Never>? {
        guard survivorsAtEnd == nil else { return nil }
        precondition(loop.isCurrent, "Not on the event loop's thread")
        searchCount += 1
        // The task ends by itself within milliseconds, and keeps the session alive until then.
        return Task(executorPreference: loop) { [self] in
            let signalled = await find(signal).signalled
            searchCount -= 1
            endIfPossible()
            return signalled
        }
    }

    /// Looks up the members off the loop, signals them, and remembers them.
    private func find(
        _ signal: @escaping Signal
    ) async -> (members: [ProcessHandle], signalled: Set<ProcessIdentity>) {
        let (leader, before, orphans, mark, owner) = (leader, known, orphans, mark, owner)
        let session = SessionMembers(leader: leader, isLeaderReserved: isChild, group: group)
        let found = await offload {
            let left = mark.flatMap { orphans?.living($0, of: owner) } ?? []
            let members = session.find(known: before + left)
            return (members: members, signalled: signal(leader, members))
        }
        var byPID: [Int32: ProcessHandle] = [:]
        for member in known + found.members where !member.hasExited {
            byPID[member.identity.pid] = member
        }
        known = Array(byPID.values)
        return found
    }

    private func leaderExited() {
        guard let token else { return }
        loop.unwatch(token)
        self.token = nil
        // Do not reap the leader yet: as long as it is a zombie, nobody else gets its pid. So every
        // process with its pid as session id belongs to this session.
        let status = isChild ? leader.exitStatus(reaping: false) : nil
        onEvent(.exited(status ?? .unknown))
        Task(executorPreference: loop) { [self] in
            survivorsAtEnd = await sweep()
            endIfPossible()
        }
    }

    /// Ends the rest of the session. Returns how many processes would not end.
    private func sweep() async -> Int {
        if let asking { await askRest(asked: asking.value) }
        let survivors = await killRest()
        // A zombie, as the leader may be, does not keep its group.
        if let group { await offload { group.remove() } }
        return survivors
    }

    /// Sends SIGTERM to the rest, the virtual machines first. Returns when nothing is left, or when
    /// the rest is to be killed.
    private func askRest(asked: Set<ProcessIdentity>) async {
        var asked = asked
        var pause = Duration.milliseconds(2)
        while !isKilled {
            let already = asked
            let (members, now) = await find { leader, members in
                let machines = VirtualMachine.topmost(of: members, below: leader)
                let now = (machines.isEmpty ? members : machines).filter {
                    !already.contains($0.identity)
                }
                for process in now { process.send(SIGTERM) }
                return Set(now.map(\.identity))
            }
            if members.isEmpty { return }
            asked.formUnion(now)
            await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    /// Kills the rest until nothing is left. Returns how many processes would not end.
    private func killRest() async -> Int {
        let deadline = MonotonicTime.now + .seconds(5)
        var pause = Duration.milliseconds(2)
        while true {
            let members = await find { _, members in
                for member in members { member.send(SIGKILL) }
                return []
            }.members
            // Processes that were signalled just now are gone only when a later look finds none.
            if members.isEmpty || MonotonicTime.now >= deadline { return members.count }
            await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private func endIfPossible() {
        guard searchCount == 0, let survivors = survivorsAtEnd else { return }
        if isChild { _ = leader.exitStatus(reaping: true) }
        known = []
        if let mark { orphans?.listen(mark, of: owner, nil) }
        onEvent(.ended(survivors: survivors))
    }
}
