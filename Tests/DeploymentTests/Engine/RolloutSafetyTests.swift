import Supervisor
import Testing
import Transport

@testable import Deployment

/// What the simulation found: decisions that were right when they were prepared, and are no longer.
@Suite struct RolloutSafetyTests {
    /// Two instances that are ready, the first one on its way to the next release.
    private func staging() -> EngineTranscript {
        var world = EngineTranscript(replicas: 2, found: [.running(.one), .running(.one)])
        for number in InstanceNumber.first(2) { world.boot(number, run: 1) }
        world.tell(.catalogRead(.two))
        #expect(world.take().contains(.stage(1, .two, running: "0.1.0")))
        return world
    }

    @Test func `an instance is not stopped when the other has crashed while it was staged`() {
        var world = staging()
        world.end(2, .signal(11))
        _ = world.take()
        world.stageAll()
        // The other one serves nobody: it comes first.
        #expect(world.take() == [.promote(2, .two)])
    }

    @Test func `one that is being stopped does not count as one that serves`() {
        var world = staging()
        world.tell(.commanded(1, .restart(2)))
        _ = world.take()
        world.stageAll()
        #expect(!world.take().contains(.terminate(1)))
    }

    @Test func `a failed hot upgrade does not stop the last ready instance`() {
        var world = staging()
        world.stageAll(.hotUpgrade(from: "0.1.0", to: "0.1.1"))
        world.end(2, .signal(11))
        _ = world.take()
        world.tell(.hotUpgradeFailed(1, .two, reason: "no", nodeIsUntouched: true))
        let actions = world.take()
        #expect(actions.contains(.discardStaged(1)))
        #expect(!actions.contains(.terminate(1)))
    }

    @Test func `nothing is rolled out before an adopted instance has been heard`() {
        var left = DeploymentEngine.Found.running(.one)
        left.process = .running(
            ProcessIdentity(pid: 77, startTicks: 7, bootID: "boot"), since: .init(nanoseconds: 0),
            isStopping: false)
        var world = EngineTranscript(replicas: 2, found: [left, .init()])
        world.tell(.catalogRead(.two))
        _ = world.take()
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.take().contains(.stage(2, .two, running: nil)))
    }

    @Test func `a version that was never ready is replaced by its next publication`() throws {
        var world = EngineTranscript(found: [.running(.one)])
        world.spawn(1)
        world.tell(.catalogRead(try Release(version: "0.1.0", hash: "mended")))
        #expect(
            world.take().contains(
                .stage(1, try Release(version: "0.1.0", hash: "mended"), running: "0.1.0")))
    }

    @Test func `a version that was ready stays when it is published again`() throws {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        _ = world.take()
        world.tell(.catalogRead(try Release(version: "0.1.0", hash: "again")))
        #expect(world.take() == [])
    }

    @Test func `a node that hangs while it boots is killed once it should have been ready`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.spawn(1)
        world.tell(.connected(1, creation: 5))
        world.advance(.seconds(600))
        for _ in 0..<10 { world.tell(.probed(1, run: 1, .unresponsive("no answer in time"))) }
        #expect(world.take().contains(.killSession(1)))
    }

    @Test func `what boots is what counts, though an upgrade had been given up`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.tell(
            .stands(1, DeployedRelease(version: "0.1.1", hash: "b", deployment: .hotUpgrade)))
        #expect(world.snapshot.instances[0].current?.version == "0.1.1")
    }
}
