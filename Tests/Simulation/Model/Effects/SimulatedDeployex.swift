internal import Deployment
internal import ErlDist
internal import Supervisor
internal import TestKit
internal import Transport

/// The life of one deployex process on the simulated host: the deployer that ships, with the world's
/// effects. When it ends, nothing of it goes on.
final class SimulatedDeployex: @unchecked Sendable {
    unowned let world: SimulatedWorld
    let loop: SimulatedLoop
    let files: any FileSystem
    let processes: SimulatedProcesses
    private var deployer: Deployer?
    /// Which life of each node it is connected to.
    private(set) var connections: [InstanceNumber: UInt32] = [:]
    /// By version: which publication of it the catalog has named last.
    var namedHashes: [String: String] = [:]
    private(set) var unansweredCommands = 0
    private(set) var hasFinished = false
    /// Why its process is to end, by itself.
    private(set) var ending: String?
    private var isDetaching = false
    private var hasMadeLogFolder = false

    init(_ world: SimulatedWorld) {
        self.world = world
        loop = SimulatedLoop(world)
        files = ObservedFiles(SabotagedFiles(ProcessFiles(world.disk, loop), world), world)
        processes = SimulatedProcesses(world, loop, files)
        deployer = Deployer(
            configuration: world.scenario.configuration, effects: effects())
    }

    private func effects() -> Deployer.Effects {
        let publication = SimulatedPublication(self)
        let (world, files) = (world, files)
        var effects = Deployer.Effects(
            loop: loop, processes: processes, layout: world.layout, logs: LogFiles(root: "/log"),
            instances: InstanceEnvironment(firstPort: nil), inherited: [:],
            store: publication, files: files,
            node: { [unowned self] in SimulatedNodeCalls(self, $0) },
            log: { [unowned world] _, text in
                world.note("  \(text)")
                world.invariants.logged(text, world)
            })
        effects.unpack = { try await publication.unpack($0, into: $1, $2) }
        effects.copyUnpacked = { try await publication.copy($0, into: $2, $3) }
        effects.prepareLogFolder = { [unowned self] in
            if world.sabotage == .leavesFoldersRemoved, hasMadeLogFolder { return }
            hasMadeLogFolder = true
            let folder = "/log/\(Scenario.application)"
            if try files.status(folder) == nil { try files.makeFolders(folder, mode: 0o750) }
        }
        effects.logEnd = { _ in 0 }
        effects.logTail = { path, _ in ["the last words in \(path)"] }
        var timings = HotUpgrade.Timings()
        (timings.preparation, timings.installation) = (.seconds(15), .seconds(15))
        (timings.question, timings.attempts) = (.seconds(3), 8)
        effects.upgradeTimings = timings
        effects.onDecision = { [unowned self] in decided($0, $1) }
        return effects
    }

    // MARK: Its life

    func start() {
        perform { [unowned self] deployer in
            do {
                try await deployer.start()
                if !world.disk.isStopped, isRunning { world.invariants.started(world) }
            } catch {
                world.note("deployex cannot start: \(error)")
                ending = "at start"
            }
        }
    }

    /// SIGTERM: it decides nothing any more, and ends when no folder is being changed.
    func detach() {
        guard !isDetaching else { return }
        world.note("deployex is to end")
        isDetaching = true
        perform { [unowned self] deployer in
            await deployer.detach()
            ending = "after SIGTERM"
        }
    }

    func stopAll() {
        perform { [unowned self] deployer in
            await deployer.stopAll()
            hasFinished = true
        }
    }

    /// The process has ended: what it has not done yet is never done.
    func end() {
        loop.end()
        perform { await $0.detach() }
        processes.endAll()
        loop.end()
        deployer = nil
    }

    private func perform(
        _ body: @escaping @Sendable (isolated Deployer) async -> Void
    ) {
        guard let deployer else { preconditionFailure("deployex has ended") }
        Task(executorPreference: loop) { await body(deployer) }
    }

    private func withDeployer<Value: Sendable>(_ body: (isolated Deployer) -> Value) -> Value {
        guard let deployer else { preconditionFailure("deployex has ended") }
        return deployer.assumeIsolated(body)
    }

    // MARK: What it knows

    var snapshot: ApplicationSnapshot {
        guard let snapshot = withDeployer({ $0.snapshot }) else {
            preconditionFailure("deployex has not started yet")
        }
        return snapshot
    }

    var isRunning: Bool { !isDetaching && !loop.hasEnded && withDeployer { $0.hasEngine } }

    /// The process that it takes for the instance's.
    func identity(_ number: InstanceNumber) -> ProcessIdentity? {
        snapshot.instances[number].identity
    }

    private func decided(_ event: EngineEvent?, _ actions: [EngineAction]) {
        if let event { world.note("> \(event)") }
        for action in actions {
            if case .log = action { continue }
            world.note("< \(action)")
        }
        guard !loop.hasEnded else { return }
        guard let event else {
            world.onStart?(world)
            return world.invariants.loaded(Set(snapshot.ghosted.map(\.id)))
        }
        world.invariants.examine(actions, after: event, world)
        for action in actions {
            switch action {
            case .promote(let number, let release), .hotUpgrade(let number, _, let release):
                world.useStaged(number, release)
            default: break
            }
        }
    }

    // MARK: What it is told

    /// Whether it was accepted.
    @discardableResult
    func command(_ command: EngineCommand) -> Bool {
        guard isRunning else { return false }
        unansweredCommands += 1
        world.invariants.commanded(command)
        perform { [unowned self] deployer in
            let result = await deployer.perform(command)
            unansweredCommands -= 1
            world.note("  \(command): \(result)")
        }
        return true
    }

    func announce() {
        later(.zero ... .milliseconds(300)) { [self] in withDeployer { $0.catalogAnnounced() } }
    }

    /// A call has reached the instance's node in this life of it.
    func connected(_ number: InstanceNumber, _ creation: UInt32) {
        guard connections[number] != creation else { return }
        connections[number] = creation
        guard !world.isLost(.losesConnections) else { return }
        let told = world.sabotage == .ignoresCreation ? 1 : creation
        withDeployer { $0.connected(number, creation: told) }
    }

    func connectionLost(_ number: InstanceNumber, _ creation: UInt32) {
        guard connections[number] == creation else { return }
        later(.zero ... .milliseconds(50)) { [self] in
            guard connections[number] == creation else { return }
            connections[number] = nil
            withDeployer { $0.disconnected(number) }
        }
    }

    private func later(_ range: ClosedRange<Duration>, _ body: @escaping () -> Void) {
        world.after(range) { [loop] in
            if !loop.hasEnded { body() }
        }
    }
}

extension SimulatedWorld {
    /// What is staged is about to be run.
    fileprivate func useStaged(_ number: InstanceNumber, _ release: Release) {
        guard !release.hash.isEmpty else { return }
        let staged = StandingRelease(
            in: layout.new(number), of: Scenario.application, disk.image)
        if case .whole(let content) = staged, content.hash != release.hash {
            isMislabelled = true
        }
    }
}
