import ErlDist
import Supervisor
import Testing
import Transport

@testable import Deployment

/// Plays the world for a ``DeploymentEngine``: what it asks for is collected, and the test answers.
struct EngineTranscript {
    var engine: DeploymentEngine
    var now = MonotonicTime(nanoseconds: 0)
    /// Everything asked for and not taken yet, without the log.
    var actions: [EngineAction] = []
    var log: [String] = []
    /// The latest notes and records that were to be written; they are not among the actions.
    var notes: [InstanceNumber: InstanceNote] = [:]
    var saved: ApplicationRecord?
    private var nextCommand: UInt64 = 0
    private var nextPID: Int32 = 100
    /// What is to be staged and has no answer yet.
    private var unstaged: [(number: InstanceNumber, release: Release)] = []

    init(
        replicas: Int = 1, found: [DeploymentEngine.Found]? = nil,
        timings: EngineConfiguration.Timings = .init(),
        readiness: EngineConfiguration.ReadinessCriteria = .init(),
        record: ApplicationRecord = .init()
    ) {
        let found = found ?? Array(repeating: .init(), count: replicas)
        let (engine, first) = DeploymentEngine.begin(
            configuration: EngineConfiguration(
                application: "counter", replicas: replicas, timings: timings,
                readiness: readiness),
            record: record, found: found, now: now, seconds: 1_000)
        self.engine = engine
        collect(first)
    }

    mutating func tell(_ event: EngineEvent) {
        switch event {
        case .staged(let number, let release, _), .stagingFailed(let number, let release, _):
            unstaged.removeAll { $0 == (number, release) }
        default: break
        }
        collect(engine.handle(event, now: now))
    }

    mutating func advance(_ duration: Duration) {
        now = now + duration
        tell(.timePassed)
    }

    /// The actions since the last time.
    mutating func take() -> [EngineAction] {
        defer { actions = [] }
        return actions
    }

    private mutating func collect(_ new: [EngineAction]) {
        for action in new {
            switch action {
            case .log(let level, let text): log.append("[\(level.rawValue)] \(text)")
            case .logCrash(_, let text): log.append("[error] \(text)")
            case .note(let number, let note): notes[number] = note
            case .save(let record): saved = record
            case .stage(let number, let release, _):
                unstaged.append((number, release))
                actions.append(action)
            default: actions.append(action)
            }
        }
    }

    /// Gives a command and returns its answer.
    mutating func command(_ command: EngineCommand, by caller: String? = nil) -> CommandResult? {
        nextCommand += 1
        let id = nextCommand
        tell(.commanded(id, command, by: caller))
        var answer: CommandResult?
        actions.removeAll { action in
            guard case .reply(id, let result) = action else { return false }
            answer = result
            return true
        }
        return answer
    }

    // MARK: Answers that most tests share

    mutating func publish(_ release: Release) {
        tell(.catalogAnnounced)
        tell(.catalogRead(release))
    }

    /// Answers a spawn, and the probes until the instance is ready.
    @discardableResult
    mutating func boot(_ number: InstanceNumber, run: Int) -> ProcessIdentity {
        let identity = spawn(number)
        tell(.probed(number, run: run, .ready))
        return identity
    }

    @discardableResult
    mutating func spawn(_ number: InstanceNumber) -> ProcessIdentity {
        nextPID += 1
        let identity = ProcessIdentity(
            pid: nextPID, startTicks: UInt64(nextPID), bootID: "boot")
        tell(.spawned(number, identity))
        return identity
    }

    mutating func end(_ number: InstanceNumber, _ status: ProcessExit) {
        tell(.exited(number, status))
        tell(.sessionEnded(number))
    }

    /// Answers everything that is to be staged, also what comes after it.
    mutating func stageAll(
        _ decision: UpgradeDecision = .fullDeployment(reason: .noMatchingVersions)
    ) {
        while let (number, release) = unstaged.first { tell(.staged(number, release, decision)) }
    }

    /// Lets everything fail that is being staged.
    mutating func stageNone(reason: String) {
        for (number, release) in unstaged {
            tell(.stagingFailed(number, release, reason: reason))
        }
    }

    /// Brings an instance that is ready to `release` by full deployment, up to its start.
    mutating func replace(_ number: InstanceNumber, with release: Release) {
        stageAll()
        if status(number) != .idle { end(number, .code(0)) }
        tell(.promoted(number, release))
    }

    var snapshot: ApplicationSnapshot { engine.snapshot }
    func status(_ number: InstanceNumber) -> InstanceStatus {
        snapshot.instances[number].status
    }
}

extension Release {
    static let one = named("0.1.0", "a")
    static let two = named("0.1.1", "b")
    static let three = named("0.1.2", "c")

    private static func named(_ version: String, _ hash: String) -> Release {
        do throws(ReleaseError) {
            return try Release(version: version, hash: hash)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

extension DeploymentEngine.Found {
    static func running(_ release: Release) -> Self {
        .init(
            current: DeployedRelease(
                version: release.version, hash: release.hash, deployment: .fullDeployment))
    }
}
