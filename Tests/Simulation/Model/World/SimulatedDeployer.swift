internal import Deployment
internal import Supervisor
internal import Transport

/// A deployex process: carries out what the production engine decides, with the production code for
/// the disk, on a simulated host. It does what `Deployer` does, in the same order.
///
/// When its process ends nothing of it goes on: every step it has scheduled asks first.
final class SimulatedDeployer {
    struct Session {
        var identity: ProcessIdentity
        /// How another one's child ended is not told.
        var isChild: Bool
        var hasExited = false
    }

    unowned let world: SimulatedWorld
    private let configuration: EngineConfiguration
    let records: InstanceRecordFolder
    let states: [InstanceState]
    let recordFile: ApplicationRecordFile
    var keepers: [InstanceRecordKeeper] = []
    private var engine: DeploymentEngine?
    var sessions: [Int: Session] = [:]
    var connections: [Int: UInt32] = [:]
    /// What the package staged for each instance holds.
    var staged: [Int: SimulatedRelease] = [:]
    /// By version: which publication of it the catalog has named last.
    var namedHashes: [String: String] = [:]
    private var turns: [Int: [(@escaping () -> Void) -> Void]] = [:]
    private var busy: [Int: Bool] = [:]
    private var unsavedRecord: ApplicationRecord?
    private var isSaving = false
    private var isDetached = false
    private var nextCommand: UInt64 = 0
    private var openCommands: [UInt64: EngineCommand] = [:]
    private var timerNumber = 0
    private(set) var hasFinished = false

    init(_ world: SimulatedWorld) {
        self.world = world
        configuration = world.scenario.configuration
        records = InstanceRecordFolder(base: world.layout.basePath, fileSystem: world.disk)
        states = (1...world.replicas).map {
            InstanceState(layout: world.layout, instance: $0, files: world.disk)
        }
        recordFile = ApplicationRecordFile(layout: world.layout, files: world.disk)
    }

    var snapshot: ApplicationSnapshot {
        guard let engine else { preconditionFailure("deployex has not started yet") }
        return engine.snapshot
    }

    var isRunning: Bool { engine != nil && !isDetached }
    func name(_ number: Int) -> InstanceName {
        InstanceName(app: Scenario.application, index: number)
    }

    // MARK: Time

    /// Whether this process has not ended.
    private var isAlive: Bool { world.deployer === self && !world.disk.isStopped }

    func after(_ range: ClosedRange<Duration>, _ body: @escaping () -> Void) {
        world.after(range) { [weak self] in
            guard let self, self.isAlive else { return }
            body()
        }
    }

    func after(_ delay: Duration, _ body: @escaping () -> Void) {
        after(delay...delay, body)
    }

    // MARK: Life

    func start() throws(FileSystemError) {
        try records.prepare()
        try world.disk.makeFolders(
            LogFiles(root: "/log").folder(app: Scenario.application), mode: 0o750)
        for state in states { try state.prepare() }
        var found: [DeploymentEngine.Found] = []
        for number in 1...world.replicas { found.append(try find(number)) }
        var findings: [String] = []
        let record = try recordFile.read(findings: &findings) ?? ApplicationRecord()
        for finding in findings { world.note("  \(finding)") }
        world.invariants.loaded(record)
        let (engine, actions) = DeploymentEngine.begin(
            configuration: configuration, record: record, found: found, now: world.now,
            seconds: 1_700_000_000 + world.now.nanoseconds / 1_000_000_000)
        self.engine = engine
        perform(actions)
        for number in 1...world.replicas {
            inTurn(number, .zero ... .milliseconds(20)) { done in
                self.attempt("cleaning") { try self.states[number - 1].clean() }
                done()
            }
        }
    }

    /// SIGTERM: decides nothing any more, and ends when no folder is being changed.
    func detach() {
        guard !isDetached else { return }
        world.note("deployex is to end")
        isDetached = true
        turns = [:]
        endWhenIdle(tries: 50)
    }

    private func endWhenIdle(tries: Int) {
        guard tries > 0, isSaving || busy.values.contains(true) else {
            return world.deployexDies(.kill, "after SIGTERM")
        }
        after(.milliseconds(100)) { self.endWhenIdle(tries: tries - 1) }
    }

    // MARK: Events and actions

    func tell(_ event: EngineEvent) {
        guard isAlive, !isDetached, var engine else { return }
        let event = world.sabotage?.reported(event) ?? event
        world.note("> \(event)")
        var actions = engine.handle(event, now: world.now)
        self.engine = engine
        actions = world.sabotage?.performed(actions, replicas: world.replicas) ?? actions
        world.invariants.examine(actions, after: event, world)
        perform(actions)
    }

    private func perform(_ actions: [EngineAction]) {
        scheduleTimer()
        for action in actions {
            // The process may have ended in the action before.
            guard isAlive else { return }
            perform(action)
        }
    }

    private func scheduleTimer() {
        timerNumber += 1
        guard let deadline = engine?.nextDeadline else { return }
        let number = timerNumber
        let delay = max(deadline - world.now, .zero)
        // Timers come late, never early.
        world.after(delay + .milliseconds(1)) { [weak self] in
            guard let self, self.isAlive, self.timerNumber == number else { return }
            self.tell(.timePassed)
        }
    }

    private func perform(_ action: EngineAction) {
        switch action {
        case .log(_, let text): return world.note("  \(text)")
        case .note, .save, .readCatalog, .stage, .runPreCommands, .promote, .hotUpgrade,
            .resumeHotUpgrade, .revert, .discardStaged, .spawn, .terminate, .killSession, .probe,
            .readLogTail, .reply, .finish:
            world.note("< \(action)")
        }
        switch action {
        case .log: break
        case .reply(let id, let result): reply(id, result)
        case .save(let record): save(record)
        case .note(let number, let note):
            after(.zero ... .milliseconds(5)) { self.write(note, of: number) }
        case .readCatalog: readCatalog()
        case .readLogTail(let number, let id):
            after(.milliseconds(1) ... .milliseconds(20)) {
                self.tell(.logTailRead(number, id, lines: ["last words of \(number)"]))
            }
        case .stage(let number, let release, let running):
            inTurn(number, .milliseconds(50) ... .seconds(4)) {
                self.stage(number, release, running: running, $0)
            }
        case .runPreCommands(let number, let release):
            inTurn(number, .milliseconds(100) ... .seconds(5)) {
                self.runPreCommands(number, release, $0)
            }
        case .discardStaged(let number):
            inTurn(number, .zero ... .milliseconds(50)) { done in
                self.discardStaged(number)
                done()
            }
        case .promote(let number, let release):
            inTurn(number, .zero ... .milliseconds(300)) { self.promote(number, release, $0) }
        case .revert(let number, let id):
            inTurn(number, .zero ... .milliseconds(300)) { self.revert(number, to: id, $0) }
        case .hotUpgrade(let number, let from, let release):
            inTurn(number, .zero ... .milliseconds(50)) {
                self.hotUpgrade(number, from: from, to: release, isResumed: false, $0)
            }
        case .resumeHotUpgrade(let number, let from, let release):
            inTurn(number, .zero ... .milliseconds(50)) {
                self.hotUpgrade(number, from: from, to: release, isResumed: true, $0)
            }
        case .spawn(let number, _):
            // Not behind a staging, which may take minutes: the folders are at rest.
            after(.zero ... .milliseconds(20)) { self.spawn(number) }
        case .terminate(let number): signal(number, kills: false)
        case .killSession(let number): signal(number, kills: true)
        case .probe(let number, let run, let kind):
            probe(number, run: run, kind)
        case .finish: hasFinished = true
        }
    }

    // MARK: One after the other

    /// Runs `work` on an instance's folders after what was begun there before, and after what has been
    /// decided is on disk. It calls what it is given when it is done.
    func inTurn(
        _ number: Int, _ delay: ClosedRange<Duration>,
        _ work: @escaping (_ done: @escaping () -> Void) -> Void
    ) {
        turns[number, default: []].append { done in
            self.after(delay) { work(done) }
        }
        runNext(number)
    }

    private func runNext(_ number: Int) {
        guard busy[number] != true, !isSaving, !isDetached, var waiting = turns[number],
            !waiting.isEmpty
        else { return }
        let work = waiting.removeFirst()
        turns[number] = waiting
        busy[number] = true
        work {
            self.busy[number] = false
            self.runNext(number)
        }
    }

    // MARK: The application's record

    private func save(_ record: ApplicationRecord) {
        unsavedRecord = record
        guard !isSaving else { return }
        isSaving = true
        after(.zero ... .milliseconds(20)) { self.writeRecord() }
    }

    private func writeRecord() {
        if let record = unsavedRecord {
            unsavedRecord = nil
            let isWritten =
                world.sabotage == .forgetsGhosts
                || attempt("writing the application's record") { try self.recordFile.write(record) }
            if isWritten { world.invariants.saved(record) }
            if !isWritten {
                unsavedRecord = record
                after(.seconds(5)) {
                    if let record = self.unsavedRecord { self.save(record) }
                }
            }
        }
        isSaving = false
        for number in 1...world.replicas { runNext(number) }
    }

    /// Work on the disk whose failure changes nothing. Whether it succeeded.
    @discardableResult
    func attempt(_ what: String, _ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            world.note("  \(what): \(error)")
            return false
        }
    }

    // MARK: The store and the operator

    func announce() {
        after(.zero ... .milliseconds(300)) { self.tell(.catalogAnnounced) }
    }

    private func readCatalog() {
        after(.milliseconds(1) ... .milliseconds(400)) {
            switch self.world.store.catalog {
            case .missing: self.tell(.catalogRead(nil))
            case .garbage: self.tell(.catalogReadFailed("the catalog is garbage"))
            case .names:
                let release = self.world.store.named?.release
                if let release { self.namedHashes[release.version] = release.hash }
                self.tell(.catalogRead(release))
            }
        }
    }

    /// Whether it was accepted.
    @discardableResult
    func command(_ command: EngineCommand) -> Bool {
        guard isRunning else { return false }
        nextCommand += 1
        openCommands[nextCommand] = command
        world.invariants.commanded(command)
        tell(.commanded(nextCommand, command))
        return true
    }

    private func reply(_ id: UInt64, _ result: CommandResult) {
        guard openCommands.removeValue(forKey: id) != nil else {
            return world.invariants.fail("a command is answered that nobody waits for")
        }
    }

    var unansweredCommands: Int { openCommands.count }
}
