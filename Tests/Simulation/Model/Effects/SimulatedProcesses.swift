internal import Deployment
internal import Supervisor
internal import TestKit
internal import Transport

/// The processes of the simulated host, as one deployex starts and takes over them.
final class SimulatedProcesses: ProcessHost, @unchecked Sendable {
    private unowned let world: SimulatedWorld
    private let loop: SimulatedLoop
    private let files: any FileSystem
    private var sessions: [SimulatedSession] = []
    /// How processes ended that nobody watches yet.
    private var exits: [ProcessIdentity: ProcessExit] = [:]

    init(_ world: SimulatedWorld, _ loop: SimulatedLoop, _ files: any FileSystem) {
        self.world = world
        self.loop = loop
        self.files = files
    }

    // MARK: For the deployer

    func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession {
        let (identity, role) = try await loop.offload { [self] in
            try startHeld(program, record: record)
        }
        await loop.pause(.zero ... .milliseconds(10))
        guard !loop.hasEnded else { throw SpawnError("deployex has ended") }
        let session = SimulatedSession(
            identity, role, isChild: true, world, loop, onEvent: onEvent)
        sessions.append(session)
        if world.host[identity] == nil {
            end(session, exits.removeValue(forKey: identity) ?? .unknown)
        }
        return session
    }

    private func startHeld(
        _ program: Program, record: (ProcessIdentity) throws -> Void
    ) throws -> (ProcessIdentity, SimulatedProcess.Role) {
        guard !loop.hasEnded else { throw SpawnError("deployex has ended") }
        guard world.disk.image.status(program.path) != nil else {
            throw SpawnError("starting \(program.path): there is no program")
        }
        let log = program.stdoutPath
        guard world.disk.image.status(Files.parent(of: log)) != nil else {
            throw SpawnError("starting \(program.path): opening its log: there is no \(log)")
        }
        let number = Self.number(in: program.path)
        let command = SimulatedProcess.Command(program, in: world)
        let role: SimulatedProcess.Role = command == nil ? .instance(number) : .command
        let identity = world.host.start(role, world.termination(), now: world.now)
        func begin() { command?.begin(identity, world) ?? world.programBegins(identity, number) }
        if world.sabotage == .recordsAfterStart { begin() }
        do {
            try record(identity)
        } catch {
            // It waits for its record before it becomes the program, and ends with deployex.
            if world.sabotage != .recordsAfterStart { world.host.end(identity) }
            throw SpawnError("recording the start of \(program.path): \(error)")
        }
        if world.sabotage != .recordsAfterStart { begin() }
        return (identity, role)
    }

    func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)? {
        await loop.pause(.zero ... .milliseconds(20))
        guard !loop.hasEnded else { throw SpawnError("deployex has ended") }
        let found =
            world.sabotage == .signalsByPID
            ? world.host.process(pid: identity.pid) : world.host[identity]
        guard let found else { return nil }
        if world.sabotage == .forgetsLeftovers, case .daemon = found.role { return nil }
        let session = SimulatedSession(
            found.identity, found.role, isChild: false, world, loop, onEvent: onEvent)
        if world.sabotage == .restartsInsteadOfAdopting, case .instance = found.role {
            session.killSession()
            return nil
        }
        sessions.append(session)
        if world.sabotage != .forgetsLeftovers { session.others = others }
        return session
    }

    func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity] {
        await loop.pause(.zero ... .milliseconds(20))
        return world.host.processes(of: Self.number(in: folder)).map(\.identity)
    }

    func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess] {
        await loop.pause(.zero ... .milliseconds(20))
        let number = Self.number(in: String(variable.drop { $0 != "/" }))
        return world.host.daemons(of: number).map {
            MarkedProcess(identity: $0.identity, session: $0.identity.pid, name: "daemon")
        }
    }

    func removeGroup(marked mark: String) async {}

    func variable(_ name: String, of identity: ProcessIdentity) async -> String? { nil }

    var bootID: String { world.host.bootID }

    func age(of identity: ProcessIdentity) -> Duration {
        world.host[identity].map { world.now - $0.startedAt } ?? .zero
    }

    /// `/base/service/APP/I/…`
    private static func number(in path: String) -> InstanceNumber {
        let names = path.split(separator: "/")
        guard names.count > 3, let number = Int(names[3]) else {
            preconditionFailure("\(path) is in no instance's folder")
        }
        return InstanceNumber(number)
    }

    // MARK: For the world

    /// An instance has started a process that has left its session. Whoever is the parent of orphans sees
    /// that, sooner or later.
    func daemonStarted(_ identity: ProcessIdentity, by leader: ProcessIdentity) {
        guard let session = sessions.first(where: { $0.identity == leader }) else { return }
        session.left(identity)
    }

    /// A process has ended.
    func ended(_ identity: ProcessIdentity, _ exit: ProcessExit) {
        guard let session = sessions.first(where: { $0.identity == identity }) else {
            exits[identity] = exit
            return
        }
        end(session, exit)
    }

    private func end(_ session: SimulatedSession, _ exit: ProcessExit) {
        sessions.removeAll { $0 === session }
        session.end(exit)
    }

    /// deployex has ended: what still waits for an end is told of one, and does nothing with it.
    func endAll() {
        let left = sessions
        sessions = []
        for session in left { session.endWithoutTime() }
    }

    func terminateAll() {
        for session in sessions { session.signal(kills: false) }
    }
}

/// A session that a simulated deployex holds.
final class SimulatedSession: RunningSession, @unchecked Sendable {
    let identity: ProcessIdentity
    private let role: SimulatedProcess.Role
    private let isChild: Bool
    private unowned let world: SimulatedWorld
    private let loop: SimulatedLoop
    private let onEvent: (ProcessSession.Event) -> Void
    /// Known processes that have left the session.
    var others: [ProcessIdentity] = []
    private var hasEnded = false

    init(
        _ identity: ProcessIdentity, _ role: SimulatedProcess.Role, isChild: Bool,
        _ world: SimulatedWorld, _ loop: SimulatedLoop,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) {
        self.identity = identity
        self.role = role
        self.isChild = isChild
        self.world = world
        self.loop = loop
        self.onEvent = onEvent
    }

    var sockets: SessionSockets? { nil }

    func includes(_ pid: Int32) async -> Bool { pid == identity.pid }

    func terminate() {
        if world.sabotage == .stopsAllAtOnce { world.deployex?.processes.terminateAll() }
        signal(kills: false)
    }

    func killSession() { signal(kills: true) }

    func signal(kills: Bool) {
        after(.zero ... .milliseconds(2)) { [self] in
            world.signal(identity, role, kills: kills)
        }
    }

    /// A process has left the session of a child: it has become a child itself.
    func left(_ identity: ProcessIdentity) {
        guard isChild else { return }
        others.append(identity)
        after(.seconds(1) ... .seconds(2)) { [self] in
            if !hasEnded, world.host[identity] != nil { onEvent(.left(identity)) }
        }
    }

    /// The leader has ended; what else belongs to the session ends a moment later.
    func end(_ exit: ProcessExit) {
        hasEnded = true
        if world.sabotage == .missesEndsOfAdopted, !isChild { return }
        let rest = world.random.duration(.zero ... .milliseconds(300))
        if case .instance(let number) = role {
            world.invariants.lingers(number, until: world.now + rest)
        }
        for other in others {
            after(.zero...rest) { [self] in world.end(other, .signal(9)) }
        }
        let isTold = !world.isLost(.losesExits)
        after(.zero ... .milliseconds(20)) { [self] in
            if isTold { onEvent(.exited(isChild ? exit : .unknown)) }
            let pause = world.sabotage == .startsTooEarly ? .zero : rest
            guard isTold, !world.isLost(.losesEnds) else { return }
            after(pause...pause) { self.onEvent(.ended(survivors: 0)) }
        }
    }

    func endWithoutTime() {
        onEvent(.exited(.unknown))
        onEvent(.ended(survivors: 0))
    }

    private func after(_ range: ClosedRange<Duration>, _ body: @escaping () -> Void) {
        world.after(range) { [loop] in
            if !loop.hasEnded { body() }
        }
    }
}
