import Supervisor
import Testing
import Transport

@testable import Deployment

/// All instances are staged before the first of them is touched.
@Suite struct FleetStagingTests {
    private let hot = UpgradeDecision.hotUpgrade(from: "0.1.0", to: "0.1.1")

    /// So many instances that run 0.1.0 well, after 0.1.1 was published.
    private func published(replicas: Int = 3) -> EngineTranscript {
        var world = EngineTranscript(
            replicas: replicas, found: Array(repeating: .running(.one), count: replicas))
        for number in InstanceNumber.first(replicas) { world.boot(number, run: 1) }
        _ = world.take()
        world.tell(.catalogRead(.two))
        return world
    }

    private func stage(_ number: InstanceNumber) -> EngineAction {
        .stage(number, .two, running: "0.1.0")
    }

    private func isTouched(_ actions: [EngineAction]) -> Bool {
        actions.contains { action in
            switch action {
            case .terminate, .killSession, .promote, .hotUpgrade, .runPreCommands: true
            default: false
            }
        }
    }

    @Test func `two are staged at a time, and none is touched before all are`() {
        var world = published()
        #expect(world.take() == [stage(1), stage(2)])
        world.tell(.staged(2, .two, hot))
        #expect(world.take() == [stage(3)])
        world.tell(.staged(3, .two, hot))
        #expect(world.take() == [])
        world.tell(.staged(1, .two, hot))
        #expect(world.take() == [.hotUpgrade(1, from: "0.1.0", to: .two)])
        world.tell(.hotUpgraded(1, .two))
        world.tell(.probed(1, run: 2, .ready))
        #expect(world.take().last == .hotUpgrade(2, from: "0.1.0", to: .two))
    }

    @Test func `the status says how far the staging is, and history what each has waited for`() {
        var world = published()
        #expect(world.snapshot.rollout?.steps.map(\.phase) == [.staging])
        world.advance(.seconds(2))
        world.tell(.staged(1, .two, hot))
        #expect(world.snapshot.rollout?.instance == 2)
        #expect(world.snapshot.rollout?.staging == .init(stagedCount: 1, count: 3))
        world.advance(.seconds(1))
        world.stageAll(hot)
        #expect(world.snapshot.rollout?.staging == nil)
        #expect(world.snapshot.rollout?.steps.map(\.phase) == [.staging, .waiting, .upgrading])
        for number in InstanceNumber.first(3) {
            world.advance(.seconds(4))
            world.tell(.hotUpgraded(number, .two))
            world.tell(.probed(number, run: 2, .ready))
        }
        let history = world.snapshot.history
        #expect(
            history.map { $0.steps?.map { "\($0.phase) \($0.milliseconds)" } } == [
                ["staging 2000", "waiting 1000", "upgrading 4000", "awaiting_ready 0"],
                ["staging 3000", "waiting 4000", "upgrading 4000", "awaiting_ready 0"],
                ["staging 1000", "waiting 8000", "upgrading 4000", "awaiting_ready 0"],
            ])
        #expect(history.map(\.milliseconds) == [7000, 11000, 13000])
    }

    @Test func `what is staged is discarded everywhere when another release is the target`() {
        var world = published()
        world.tell(.staged(1, .two, hot))
        _ = world.take()
        world.publish(.three)
        // The others' answers come first.
        #expect(world.take() == [.readCatalog, .discardStaged(1)])
        world.tell(.staged(2, .two, hot))
        #expect(world.take() == [.discardStaged(2), .stage(1, .three, running: "0.1.0")])
        world.tell(.stagingFailed(3, .two, reason: "no such package"))
        #expect(world.take() == [.stage(2, .three, running: "0.1.0")])
        #expect(world.snapshot.problem == nil)
    }

    @Test func `a release that is ghosted while others wait for it is discarded there`() {
        var world = published()
        world.tell(.probed(1, run: 1, .ready))
        world.stageAll()
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        world.spawn(1)
        _ = world.take()
        world.advance(.seconds(600))
        let actions = world.take()
        #expect(actions.contains(.discardStaged(2)) && actions.contains(.discardStaged(3)))
    }

    @Test func `one that an operator stops is not staged any more, and the others go on`() {
        var world = published()
        world.tell(.staged(1, .two, hot))
        world.tell(.staged(2, .two, hot))
        _ = world.take()
        _ = world.command(.stop(2))
        #expect(world.take() == [.terminate(2), .discardStaged(2)])
        world.tell(.staged(3, .two, hot))
        #expect(world.take() == [.hotUpgrade(1, from: "0.1.0", to: .two)])
        // It comes back, and nothing more is touched before it is staged.
        world.end(2, .code(0))
        _ = world.command(.start(2))
        world.boot(2, run: 2)
        world.tell(.hotUpgraded(1, .two))
        _ = world.take()
        world.tell(.probed(1, run: 2, .ready))
        #expect(world.take() == [stage(2)])
        world.stageAll(hot)
        #expect(world.take().last == .hotUpgrade(2, from: "0.1.0", to: .two))
    }

    @Test func `a failure postpones everything, and what has been staged is kept`() {
        var world = published()
        _ = world.take()
        world.tell(.stagingFailed(1, .two, reason: "no space left on device"))
        #expect(world.take() == [])
        #expect(world.snapshot.problem == nil, "the other answer may be better")
        world.tell(.staged(2, .two, hot))
        #expect(world.take() == [])
        #expect(world.snapshot.problem == "no space left on device")
        world.advance(.seconds(5))
        // The one that has not had its turn comes before the one that has failed.
        #expect(world.take().filter { $0 == stage(1) || $0 == stage(3) } == [stage(3), stage(1)])
        world.stageAll(hot)
        #expect(world.take().last == .hotUpgrade(1, from: "0.1.0", to: .two))
    }

    @Test func `one that cannot be staged again and again does not hold up the others for ever`() {
        var world = published(replicas: 2)
        world.tell(.staged(1, .two, hot))
        for delay in [5, 10, 20] {
            world.tell(.stagingFailed(2, .two, reason: "no"))
            #expect(!isTouched(world.take()))
            world.advance(.seconds(delay))
            #expect(world.take().contains(stage(2)))
        }
        world.tell(.stagingFailed(2, .two, reason: "no"))
        #expect(isTouched(world.take()))
        #expect(world.log.contains { $0.contains("Instance: 2 cannot be staged") })
        world.tell(.hotUpgraded(1, .two))
        world.tell(.probed(1, run: 2, .ready))
        #expect(world.snapshot.problem == "no")
        // Then it is its turn again.
        world.advance(.seconds(5))
        #expect(world.take().contains(stage(2)))
        world.stageAll(hot)
        #expect(world.take().last == .hotUpgrade(2, from: "0.1.0", to: .two))
    }

    @Test func `a package that nobody can have is tried once in an attempt by two, and told once`()
    {
        var world = published()
        _ = world.take()
        for delay in [5, 10, 20, 40, 80] {
            let count = world.log.count
            world.stageNone(reason: "no such package")
            #expect(
                world.log[count...].filter { $0.contains("no such package") }
                    == ["[error] no such package; next attempt in \(delay) s"])
            #expect(!isTouched(world.take()))
            world.advance(.seconds(delay))
        }
    }

    @Test func `an instance that runs another release by now is staged anew`() {
        var world = published(replicas: 2)
        world.tell(.staged(1, .two, hot))
        _ = world.take()
        let other = DeployedRelease(version: "0.0.9", hash: "z", deployment: .hotUpgrade)
        world.tell(.stands(1, other))
        #expect(world.take() == [.discardStaged(1), .stage(1, .two, running: "0.0.9")])
    }

    @Test func `the way back does not wait for a staging`() {
        var record = ApplicationRecord()
        for release in [Release.one, .two] { _ = record.noteGood(release, latest: true) }
        var left = DeploymentEngine.Found.running(.two)
        left.previous = DeploymentEngine.Found.running(.one).current
        var world = EngineTranscript(replicas: 2, found: [left, .running(.two)], record: record)
        for number in InstanceNumber.first(2) { world.boot(number, run: 1) }
        world.tell(.catalogRead(.two))
        _ = world.take()
        #expect(world.command(.rollback) == .done("going back from 0.1.1 to 0.1.0"))
        #expect(world.take() == [.stage(2, .one, running: "0.1.1"), .terminate(1)])
    }

    /// Found by the simulation: one instance had lost its folder, the other hung with what it had.
    @Test func `one that keeps other bytes of the version does not hold up one that has nothing`()
        throws
    {
        var record = ApplicationRecord()
        _ = record.noteGood(.one, latest: true)
        var world = EngineTranscript(
            replicas: 2, found: [.running(.one), .init()], record: record)
        world.spawn(1)
        world.tell(.probed(1, run: 1, .notReady("it is not started")))
        _ = world.take()
        let again = try Release(version: "0.1.0", hash: "again")
        world.tell(.catalogRead(again))
        #expect(world.take() == [.stage(2, again, running: nil)])
    }

    @Test func `when everything is stopped nothing stays staged`() {
        var world = published()
        world.tell(.staged(1, .two, hot))
        _ = world.take()
        world.tell(.shutdownRequested)
        #expect(world.take().contains(.discardStaged(1)))
        world.tell(.staged(2, .two, hot))
        #expect(world.take() == [.discardStaged(2)])
    }
}
