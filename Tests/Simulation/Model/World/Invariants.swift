internal import Deployment
internal import FoundationEssentials
internal import Supervisor
internal import Transport

/// What must hold at every step, whatever goes wrong. The first thing that does not is kept.
final class Invariants {
    private(set) var violation: String?
    var watch: CurrentWatch?
    private let replicas: Int
    /// Ghosts that are on record for certain.
    private var ghosts: Set<ReleaseID> = []
    /// Those that the deployex that runs knows of.
    private var knownGhosts: Set<ReleaseID> = []
    /// Those that it has let go of. A record that it had made before may be written after that.
    private var absolved: Set<ReleaseID> = []
    /// Instances that an operator has asked to stop or to restart since they were last started.
    private var disturbed: Set<InstanceNumber> = []
    private var historyCount = 0
    private var reboots: [InstanceNumber: Reboot] = [:]
    /// When nodes have last rebooted in place.
    private var lastReboots: [InstanceNumber: MonotonicTime] = [:]
    /// Until when something of an ended session still holds the port.
    private var lingering: [InstanceNumber: MonotonicTime] = [:]
    private var preparedCount: [ReleaseID: Int] = [:]
    private var startCount = 0
    /// Processes that are to end, whether or not they could be told yet.
    private var ending: [InstanceNumber: ProcessIdentity] = [:]
    /// Instances whose record was written when there was space for it.
    private var recorded: Set<InstanceNumber> = []
    /// Instances whose record somebody has damaged since their process was started.
    private var damagedRecords: Set<InstanceNumber> = []
    /// When somebody has last removed a folder.
    private var lastRemoval: MonotonicTime?
    /// What has left the session of an instance, and is on record for certain.
    private var leftOnRecord: [InstanceNumber: Set<ProcessIdentity>] = [:]
    /// The failures of the disk that were seen to have been injected.
    private var faultCount = 0
    private var lastFault: MonotonicTime?

    private var stagings = Stagings()

    private struct Reboot {
        var identity: ProcessIdentity
        var crashRestarts: Int
        var start: Int
    }

    init(replicas: Int) {
        self.replicas = replicas
    }

    func fail(_ text: String) {
        if violation == nil { violation = text }
    }

    private func check(_ holds: Bool, _ text: @autoclosure () -> String) {
        if !holds { fail(text()) }
    }

    // MARK: After every step

    func checkStep(_ world: SimulatedWorld) {
        noteFaults(world)
        if let violation = watch?.violation { fail(violation) }
        let strays = world.disk.strayOperations
        check(strays.isEmpty, "outside its folders: \(strays.first.map { "\($0)" } ?? "")")
        if let wrong = stagings.leftBehind(in: world) { fail(wrong) }
    }

    // MARK: deployex as a process

    /// It has started: what stands and what runs is taken over.
    func started(_ world: SimulatedWorld) {
        startCount += 1
        guard let deployer = world.deployex else { return }
        for number in InstanceNumber.first(replicas) {
            let running = world.host.processes(of: number)
            let adopted = deployer.identity(number)
            for process in running where process.identity != adopted {
                fail("instance \(number): \(process.identity) runs and is not adopted")
            }
            // A process that was taken over and has ended since is told of; its next boot tells what
            // stands.
            let current = deployer.snapshot.instances[number]
            guard running.isEmpty, adopted == nil, current.status != .backoff,
                watch?.wasDeployed(number) == true
            else { continue }
            let standing = world.standing(number)
            guard case .whole(let release) = standing else {
                return fail("instance \(number): \(standing) in current after a start")
            }
            let known = current.current?.version
            check(
                known == release.version,
                "instance \(number): \(release.version) stands, \(known ?? "none") is known"
            )
        }
    }

    /// It has stopped everything, and says so.
    func stopped(_ world: SimulatedWorld) {
        let left = world.host.all.filter { process in
            switch process.role {
            case .stranger: false
            case .daemon(let number): leftOnRecord[number]?.contains(process.identity) == true
            case .instance, .command: true
            }
        }
        check(
            left.isEmpty,
            "after the stop of everything \(left.first?.identity.description ?? "") runs")
    }

    func rebooted() {
        reboots = [:]
        lingering = [:]
        leftOnRecord = [:]
        for number in InstanceNumber.first(replicas) { watch?.forget(number) }
    }

    /// What was on the disk below `path` has gone.
    func removed(_ path: String, _ number: InstanceNumber, at now: MonotonicTime) {
        lastRemoval = now
        if path == "/base/run" { damaged("/base/run/", number) }
        if "/base/version/\(Scenario.application)/application.json".isBelow(path) {
            damaged("application.json", number)
        }
    }

    func removedCurrent(_ number: InstanceNumber) { watch?.removed(number) }

    func damaged(_ path: String, _ number: InstanceNumber) {
        if path.hasPrefix("/base/run/") {
            damagedRecords.insert(number)
            recorded.remove(number)
            leftOnRecord[number] = nil
        }
        if path.hasSuffix("application.json") {
            ghosts = []
            preparedCount = [:]
        }
    }

    // MARK: Processes

    func programBegins(
        _ world: SimulatedWorld, _ identity: ProcessIdentity, _ number: InstanceNumber
    ) {
        let others = world.host.processes(of: number).filter { $0.identity != identity }
        check(
            others.isEmpty,
            "instance \(number): \(identity) is started beside \(others.first?.identity.description ?? "")"
        )
        check(
            lingering[number].map { $0 <= world.now } ?? true,
            "instance \(number): \(identity) is started beside what is left of the last session")
        let left = world.host.daemons(of: number).map(\.identity).filter {
            leftOnRecord[number]?.contains($0) == true
        }
        check(
            left.isEmpty,
            "instance \(number): \(identity) is started beside \(left.first?.description ?? ""), which "
                + "left the session of the one before")
        leftOnRecord[number] = nil
        disturbed.remove(number)
        damagedRecords.remove(number)
        reboots[number] = nil
    }

    /// The record of an instance was written, perhaps when there was space for it.
    func recorded(_ record: InstanceRecord, _ world: SimulatedWorld) {
        noteFaults(world)
        // A disk operation that has failed may be the one that kept space for the next time.
        if !world.isFull, !hasJustFailed(world) { recorded.insert(record.instance) }
        leftOnRecord[record.instance, default: []].formUnion(record.others ?? [])
    }

    /// A record that was written once is written on a full disk, too: an instance that has crashed does not
    /// stay down for want of space, nor does one that is to stop run on.
    func logged(_ text: String, _ world: SimulatedWorld) {
        stagings.logged(text)
        guard world.isFull, text.contains("record"), text.contains("space") else { return }
        noteFaults(world)
        // A disk operation that was to fail may be what this line is about.
        guard !hasJustFailed(world) else { return }
        let name = "\(Scenario.application)-"
        for number in recorded where text.contains("\(name)\(number)") {
            fail("the record of instance \(number) is not written for want of space: \(text)")
        }
    }

    private func noteFaults(_ world: SimulatedWorld) {
        guard world.disk.faultCount != faultCount else { return }
        faultCount = world.disk.faultCount
        lastFault = world.now
    }

    private func hasJustFailed(_ world: SimulatedWorld) -> Bool {
        lastFault.map { world.now - $0 <= .seconds(1) } ?? false
    }

    func lingers(_ number: InstanceNumber, until time: MonotonicTime?) {
        lingering[number] = time
    }

    func signalled(
        _ world: SimulatedWorld, _ identity: ProcessIdentity, _ role: SimulatedProcess.Role
    ) {
        check(role != .stranger, "\(identity), a stranger, is signalled")
        guard case .instance(let number) = role else { return }
        guard !damagedRecords.contains(number) else { return }
        let path = "/base/run/\(Scenario.application)-\(number).json"
        var recorded: InstanceRecord?
        if let bytes = try? world.disk.image.read(path, limit: .max) {
            recorded = try? JSONDecoder().decode(InstanceRecord.self, from: Data(bytes))
        }
        check(
            recorded?.process == identity && recorded?.isStopping == true,
            "instance \(number) is signalled with no such decision on record")
    }

    func rebootedInPlace(_ world: SimulatedWorld, _ number: InstanceNumber, _ before: UInt32) {
        lastReboots[number] = world.now
        guard let deployer = world.deployex, deployer.connections[number] == before,
            deployer.isRunning, let identity = deployer.identity(number)
        else { return }
        reboots[number] = Reboot(
            identity: identity,
            crashRestarts: deployer.snapshot.instances[number].crashRestarts,
            start: startCount)
    }

    /// A node that rebooted in place has been noticed, as far as that could be.
    func unnoticedReboot(_ world: SimulatedWorld) -> InstanceNumber? {
        reboots.keys.sorted().first { number in
            guard let reboot = reboots[number], let deployer = world.deployex,
                startCount == reboot.start,
                deployer.identity(number) == reboot.identity
            else { return false }
            return deployer.snapshot.instances[number].crashRestarts <= reboot.crashRestarts
        }
    }

    // MARK: What the engine decides

    func commanded(_ command: EngineCommand) {
        switch command {
        case .restart(let number), .stop(let number): disturbed.insert(number)
        case .deploy, .start, .rollback, .unghost: break
        }
    }

    /// deployex has begun with these ghosts.
    func loaded(_ ghosts: Set<ReleaseID>) {
        knownGhosts = ghosts
        absolved = []
        stagings = stagings.restarted
    }

    func saved(_ record: ApplicationRecord) {
        ghosts.formUnion(Set(record.ghosted.map(\.id)).subtracting(absolved))
    }

    /// A release is asked for its configuration.
    func evaluates(_ folder: String, _ world: SimulatedWorld) {
        if let wrong = stagings.evaluated(folder, world) { fail(wrong) }
    }

    func ranPreCommands(_ id: ReleaseID, succeeded: Bool, _ world: SimulatedWorld) {
        guard succeeded else { return }
        preparedCount[id, default: 0] += 1
        check(
            preparedCount[id, default: 0] <= startCount,
            "the pre-commands of \(id) have run \(preparedCount[id] ?? 0) times")
    }

    func examine(
        _ actions: [EngineAction], after event: EngineEvent, _ world: SimulatedWorld
    ) {
        guard let deployer = world.deployex else { return }
        if let wrong = stagings.examine(actions, after: event, deployer.snapshot, at: world.now) {
            fail(wrong)
        }
        if case .promoted(let number, _) = event,
            world.disk.image.status(world.layout.instanceFolder(number) + "/journal.json") == nil
        {
            watch?.deployed(number)
        }
        if case .preCommandsFailed(_, let release, let reason) = event,
            lastRemoval.map({ $0 + .seconds(2) < world.now }) ?? true
        {
            check(
                !reason.contains("there is no"),
                "\(release.version) is blamed for what somebody has removed: \(reason)")
        }
        for action in actions {
            switch action {
            case .save(let record): examine(record, world, deployer)
            case .stage(_, let release, _), .promote(_, let release),
                .hotUpgrade(_, _, let release),
                .runPreCommands(_, let release):
                check(!ghosts.contains(release.id), "\(release.version) is ghosted: \(action)")
                // The store has other bytes under that version than those of this release.
                let named = deployer.namedHashes[release.version] ?? release.hash
                check(
                    named == release.hash || release.hash.isEmpty,
                    "\(release.version) has been published again as \(named): \(action)")
            case .revert(_, let id):
                check(!ghosts.contains(id), "\(id) is ghosted: \(action)")
            case .terminate(let number): examineStop(number, after: event, world, deployer)
            case .killSession(let number):
                // What a node answers while it restarts itself is no reason to wait for it.
                if case .nodeRestarts(number, _, _) = event {
                    ending[number] = deployer.identity(number)
                } else {
                    examineKill(number, world, deployer)
                }
            case .readCatalog, .resumeHotUpgrade, .discardStaged, .spawn, .probe, .note,
                .readLogTail, .logCrash, .reply, .log, .finish:
                break
            }
        }
    }

    private func examine(
        _ record: ApplicationRecord, _ world: SimulatedWorld, _ deployer: SimulatedDeployex
    ) {
        // Only what this deployex knew as a ghost can it have let go of.
        let known = Set(record.ghosted.map(\.id))
        absolved.formUnion(knownGhosts.subtracting(known))
        absolved.subtract(known)
        ghosts.subtract(absolved)
        knownGhosts = known
        let seconds = world.secondsSince1970
        guard let last = record.history.last, last.outcome == .succeeded,
            record.history.count != historyCount, last.at >= seconds - 1
        else {
            historyCount = record.history.count
            return
        }
        historyCount = record.history.count
        let number = last.instance
        guard let process = world.host.processes(of: number).first, let node = process.node,
            process.identity == deployer.identity(number),
            // Not in the moment in which it reboots by itself, nor when it was asked just before.
            node.isUp(at: world.now),
            lastReboots[number].map({ $0 + .seconds(1) <= world.now }) ?? true
        else { return }
        check(
            node.running.version == last.version,
            "instance \(number): \(last.kind) of \(last.version) succeeded, \(node.running.version) runs"
        )
        // What has been ready in this life is not taken back by a crash a moment ago. What a release must have
        // started is in its files.
        check(
            world.runningWithoutFiles.contains(number) || node.isReady(at: world.now),
            "instance \(number): \(last.kind) of \(last.version) succeeded, and it is not ready")
    }

    private func examineStop(
        _ number: InstanceNumber, after event: EngineEvent, _ world: SimulatedWorld,
        _ deployer: SimulatedDeployex
    ) {
        ending[number] = deployer.identity(number)
        guard event != .shutdownRequested, !disturbed.contains(number),
            let node = world.nodeProcess(number)?.node, let readyAt = node.readyAt,
            // Since a moment ago only, and nobody could know yet.
            max(readyAt, node.reachableFrom, node.answersFrom) + .seconds(5) <= world.now
        else { return }
        let others = deployer.snapshot.instances.filter {
            $0.number != number && !$0.isStoppedByOperator
        }
        guard !others.isEmpty else { return }
        check(
            others.contains { [.running, .unresponsive].contains($0.status) },
            "instance \(number), the last one that is ready, is stopped after: \(event)")
    }

    private func examineKill(
        _ number: InstanceNumber, _ world: SimulatedWorld, _ deployer: SimulatedDeployex
    ) {
        guard let identity = deployer.identity(number),
            let process = world.host[identity], ending[number] != identity,
            let node = process.node,
            !disturbed.contains(number)
        else { return }
        check(
            node.answersFrom + .seconds(3) > world.now,
            "instance \(number) is killed, and answers since \(node.answersFrom)")
        // It goes on until it can be put on record.
        ending[number] = identity
    }
}
