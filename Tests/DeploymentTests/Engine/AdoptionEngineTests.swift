import Supervisor
import Testing
import Transport

@testable import Deployment

/// What an earlier deployex has left, and how it goes on.
@Suite struct AdoptionEngineTests {
    private let identity = ProcessIdentity(pid: 77, startTicks: 7, bootID: "boot")

    private func found(
        _ release: Release = .one, isStopping: Bool = false, note: InstanceNote = .init()
    ) -> DeploymentEngine.Found {
        var found = DeploymentEngine.Found.running(release)
        found.process = .running(
            identity, since: MonotonicTime(nanoseconds: -5_000_000_000), isStopping: isStopping)
        found.note = note
        return found
    }

    @Test func `a process that runs is taken over: nothing is started, counters go on`() {
        var world = EngineTranscript(found: [
            found(note: .init(restarts: .init(crash: 3, forced: 1), creation: 9))
        ])
        #expect(world.take() == [.readCatalog, .probe(1, run: 1, .readiness)])
        let instance = world.snapshot.instances[0]
        #expect(instance.identity == identity)
        #expect(instance.startedAt == MonotonicTime(nanoseconds: -5_000_000_000))
        #expect(instance.crashRestarts == 3)
        #expect(instance.forcedRestarts == 1)
        world.tell(.connected(1, creation: 9))
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.status(1) == .running)
        // And when it crashes it is restarted like any other.
        world.end(1, .unknown)
        world.advance(.seconds(1))
        #expect(world.take().contains(.spawn(1, run: 2)))
        #expect(world.snapshot.instances[0].crashRestarts == 4)
        #expect(world.notes[1]?.restarts.crash == 4)
    }

    @Test func `a process that ended meanwhile is a crash, and started at once`() {
        var found = DeploymentEngine.Found.running(.one)
        found.process = .ended
        var world = EngineTranscript(found: [found])
        #expect(world.take().contains(.spawn(1, run: 1)))
        #expect(world.snapshot.instances[0].crashRestarts == 1)
    }

    @Test func `a release that somebody has removed from the disk is deployed anew`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.one))
        _ = world.take()
        world.end(1, .signal(9))
        world.advance(.seconds(1))
        #expect(world.take() == [.spawn(1, run: 2)])
        world.tell(.stands(1, nil))
        #expect(world.take() == [.stage(1, .one, running: nil)])
        #expect(
            world.log.contains(
                "[error] Instance: 1 has lost version 0.1.0 on disk: it is deployed anew"))
        world.tell(.spawnFailed(1, reason: "there is no program"))
        world.tell(.staged(1, .one, .fullDeployment(reason: .noMatchingVersions)))
        #expect(world.take() == [.promote(1, .one)])
        // Removed again before it was ready: no trial waits for it.
        world.tell(.promoted(1, .one))
        #expect(world.take() == [.spawn(1, run: 3)])
        world.tell(.stands(1, nil))
        world.tell(.spawnFailed(1, reason: "there is no program"))
        #expect(world.take() == [.stage(1, .one, running: nil)])
    }

    @Test func `a stop that is on record goes on, and a start follows`() {
        var world = EngineTranscript(found: [found(isStopping: true)])
        #expect(world.take().contains(.terminate(1)))
        world.end(1, .unknown)
        #expect(world.take().contains(.spawn(1, run: 2)))
        #expect(world.snapshot.instances[0].crashRestarts == 0)
    }

    @Test func `an instance that an operator has stopped stays stopped`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        _ = world.take()
        #expect(
            world.command(.stop(1))
                == .done("instance 1 is being stopped, and stays stopped until it is started"))
        #expect(world.take() == [.terminate(1)])
        world.end(1, .code(0))
        #expect(world.notes[1]?.isStoppedByOperator == true)
        var left = DeploymentEngine.Found.running(.one)
        left.note = world.notes[1] ?? .init()
        var next = EngineTranscript(found: [left])
        #expect(next.take() == [.readCatalog])
        next.tell(.catalogRead(.two))
        #expect(next.take() == [])
        // What stands there is not booted only to be replaced.
        #expect(
            next.command(.start(1))
                == .done("instance 1 is being started with version 0.1.1"))
        #expect(next.take() == [.stage(1, .two, running: "0.1.0")])
        next.tell(.staged(1, .two, .fullDeployment(reason: .notConnected)))
        #expect(next.take() == [.promote(1, .two)])
        next.tell(.promoted(1, .two))
        #expect(next.take() == [.spawn(1, run: 1)])
    }

    @Test func `what waits for its new version starts with the old one where that cannot be had`() {
        var left = DeploymentEngine.Found.running(.one)
        left.note.isStoppedByOperator = true
        var world = EngineTranscript(found: [left])
        world.tell(.catalogRead(.two))
        _ = world.command(.start(1))
        _ = world.take()
        world.tell(.stagingFailed(1, .two, reason: "no such file"))
        #expect(world.take() == [.spawn(1, run: 1)])
        world.boot(1, run: 1)
        #expect(world.status(1) == .running)
    }

    private func wasGood(_ release: Release) -> ApplicationRecord {
        var record = ApplicationRecord()
        _ = record.noteGood(release, latest: true)
        return record
    }

    @Test func `more replicas than before begin with the version that the others run`() {
        var running = DeploymentEngine.Found.running(.two)
        running.process = .running(
            identity, since: MonotonicTime(nanoseconds: 0), isStopping: false)
        var world = EngineTranscript(
            replicas: 2, found: [running, .running(.one)], record: wasGood(.one))
        #expect(!world.take().contains { if case .spawn = $0 { true } else { false } })
        world.tell(.catalogRead(.two))
        #expect(world.take() == [])
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.take().contains(.stage(2, .two, running: "0.1.0")))
        world.tell(.staged(2, .two, .fullDeployment(reason: .notConnected)))
        world.tell(.promoted(2, .two))
        #expect(world.take().suffix(2) == [.promote(2, .two), .spawn(2, run: 1)])
    }

    @Test func `what was on trial when deployex ended is started, and not taken for stale`() {
        var running = DeploymentEngine.Found.running(.one)
        running.process = .running(
            identity, since: MonotonicTime(nanoseconds: 0), isStopping: false)
        var world = EngineTranscript(
            replicas: 2, found: [.running(.two), running], record: wasGood(.one))
        #expect(world.take().contains(.spawn(1, run: 1)))
    }

    @Test func `more replicas than before start when it cannot be found out what is published`() {
        var running = DeploymentEngine.Found.running(.two)
        running.process = .running(
            identity, since: MonotonicTime(nanoseconds: 0), isStopping: false)
        var world = EngineTranscript(
            replicas: 2, found: [running, .running(.one)], record: wasGood(.one))
        world.tell(.probed(1, run: 1, .ready))
        _ = world.take()
        world.tell(.catalogReadFailed("no such folder"))
        #expect(world.take() == [.spawn(2, run: 1)])
    }

    @Test func `a node with another creation in the same process has rebooted: a crash`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.spawn(1)
        world.tell(.connected(1, creation: 5))
        world.tell(.probed(1, run: 1, .ready))
        world.tell(.disconnected(1))
        world.tell(.connected(1, creation: 5))
        #expect(world.snapshot.instances[0].crashRestarts == 0, "only the connection was lost")
        world.tell(.disconnected(1))
        world.tell(.connected(1, creation: 6))
        #expect(world.snapshot.instances[0].crashRestarts == 1)
        #expect(world.status(1) == .starting)
        #expect(world.notes[1]?.creation == 6)
        #expect(
            world.log.contains(
                "[error] Application instance: 1 rebooted by itself in the same process, "
                    + "for the first time"))
    }

    @Test func `an interrupted hot upgrade is settled with the node before anything else`() {
        var left = found(.two)
        left.interruptedUpgrade = .three
        var world = EngineTranscript(found: [left])
        world.tell(.catalogRead(.three))
        #expect(world.take().contains(.resumeHotUpgrade(1, from: "0.1.1", to: .three)))
        world.tell(.hotUpgraded(1, .three))
        #expect(world.snapshot.instances[0].current?.version == "0.1.2")
        #expect(world.snapshot.instances[0].identity == identity)
    }

    @Test func `one that had not begun is begun anew, without a restart`() {
        var left = found(.two)
        left.interruptedUpgrade = .three
        var world = EngineTranscript(found: [left])
        world.tell(.probed(1, run: 1, .ready))
        world.tell(.catalogRead(.three))
        _ = world.take()
        world.tell(
            .hotUpgradeFailed(1, .three, reason: "interrupted", nodeIsUntouched: true))
        #expect(world.take() == [.discardStaged(1), .stage(1, .three, running: "0.1.1")])
        #expect(world.snapshot.instances[0].identity == identity)
    }

    @Test func `one that left the node nobody knows how is followed by a restart`() {
        var left = found(.two)
        left.interruptedUpgrade = .three
        var world = EngineTranscript(found: [left])
        _ = world.take()
        world.tell(.hotUpgradeFailed(1, .three, reason: "unknown", nodeIsUntouched: false))
        #expect(world.take() == [.discardStaged(1), .terminate(1)])
    }
}
