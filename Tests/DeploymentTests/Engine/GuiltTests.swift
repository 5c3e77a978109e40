import Supervisor
import Testing
import Transport

@testable import Deployment

/// Which failures a new release is guilty of, and what is known of it without another try.
@Suite struct GuiltTests {
    /// So many instances that run 0.1.0 well, while 0.1.1 stands staged for all of them.
    private func staged(
        replicas: Int = 2, _ decision: UpgradeDecision = .hotUpgrade(from: "0.1.0", to: "0.1.1")
    ) -> EngineTranscript {
        var world = EngineTranscript(
            replicas: replicas, found: Array(repeating: .running(.one), count: replicas))
        for number in InstanceNumber.first(replicas) { world.boot(number, run: 1) }
        world.tell(.catalogRead(.two))
        world.stageAll(decision)
        _ = world.take()
        return world
    }

    private let two = ReleaseID(version: "0.1.1", hash: "b")
    private let reason =
        "release_handler:install_release failed, reason: {error,{code_change_failed,x}}"

    // MARK: A hot upgrade that fails in the node

    @Test func `a node that restarts itself is killed, and the step is not tried again`() {
        var world = staged()
        world.tell(.nodeRestarts(1, .two, reason: reason + "\nand a stack trace"))
        #expect(world.take() == [.killSession(1)])
        world.end(1, .signal(9))
        #expect(world.take() == [.promote(1, .two)])
        world.tell(.promoted(1, .two))
        world.boot(1, run: 2)
        #expect(world.take().last == .terminate(2))
        #expect(world.snapshot.instances[0].crashRestarts == 0)
        #expect(world.snapshot.history.map(\.kind) == [.hotUpgrade, .fullDeployment])
        #expect(world.snapshot.history.map(\.outcome) == [.failed, .succeeded])
        #expect(world.snapshot.history[0].reason == reason)
        #expect(
            world.snapshot.history.map { $0.steps?.map(\.phase) } == [
                ["staging", "upgrading", "stopping"],
                ["staging", "upgrading", "stopping", "moving", "awaiting_ready"],
            ])

        #expect(world.log.contains { $0.contains("this hot upgrade has failed before") })
        #expect(world.snapshot.history.count == 2)
        // The next deployex knows it, too.
        #expect(
            world.saved?.hasFailed(.init(from: .init(version: "0.1.0", hash: "a"), to: two)) == true
        )
    }

    @Test func `a node that restarts itself serves nobody: it is killed though it is the only one`()
    {
        var world = staged(replicas: 1)
        world.tell(.nodeRestarts(1, .two, reason: reason))
        #expect(world.take() == [.killSession(1)])
    }

    @Test func `another step may be tried`() {
        var world = staged(replicas: 1)
        world.tell(.nodeRestarts(1, .two, reason: reason))
        world.end(1, .signal(9))
        world.tell(.promoted(1, .two))
        world.boot(1, run: 2)
        world.tell(.catalogRead(.three))
        _ = world.take()
        world.tell(.staged(1, .three, .hotUpgrade(from: "0.1.1", to: "0.1.2")))
        #expect(world.take() == [.hotUpgrade(1, from: "0.1.1", to: .three)])
    }

    // MARK: Known not to boot

    @Test func `what cannot read its own configuration is ghosted, and nothing is stopped`() {
        var world = staged()
        world.tell(.configurationFailed(1, .two, reason: "it ended with 1", isForeign: false))
        #expect(world.take() == [.discardStaged(1), .discardStaged(2)])
        #expect(world.snapshot.ghosted.map(\.reason) == ["it ended with 1"])
        #expect(world.snapshot.targetVersion == "0.1.0")
        #expect(world.snapshot.history.map(\.kind) == [.hotUpgrade])
        #expect(world.status(1) == .running && world.status(2) == .running)
    }

    @Test func `where neither version can read it, the deployment is tried again later`() {
        var world = staged()
        world.tell(.configurationFailed(1, .two, reason: "both", isForeign: true))
        #expect(world.take() == [.discardStaged(1)])
        #expect(world.snapshot.ghosted == [])
        #expect(world.snapshot.problem == "both")
        world.advance(.seconds(5))
        #expect(world.take().contains(.stage(1, .two, running: "0.1.0")))
    }

    @Test func `a configuration that no version can read for long ends in a full deployment`() {
        var world = staged()
        for _ in 0..<4 {
            world.tell(.configurationFailed(1, .two, reason: "both", isForeign: true))
            #expect(world.take() == [.discardStaged(1)])
            world.advance(.seconds(60))
            _ = world.take()
            world.stageAll(.hotUpgrade(from: "0.1.0", to: "0.1.1"))
            #expect(world.take() == [.hotUpgrade(1, from: "0.1.0", to: .two)])
        }
        world.tell(.configurationFailed(1, .two, reason: "both", isForeign: true))
        #expect(world.take() == [.terminate(1)])
        #expect(world.snapshot.ghosted == [])
    }

    @Test func `what the store has other bytes of by now is not deployed as what was fetched`() {
        var world = EngineTranscript(found: [.running(.two)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.one))
        _ = world.take()
        guard let again = try? Release(version: "0.1.0", hash: "z") else { return }
        world.tell(.catalogRead(again))
        world.tell(.staged(1, .one, .hotUpgrade(from: "0.1.1", to: "0.1.0")))
        #expect(world.take().first == .discardStaged(1))
    }

    @Test func `a program that cannot be run at all goes back at once`() {
        var world = staged(.fullDeployment(reason: .notConnected))
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        _ = world.take()
        world.tell(.spawnFailed(1, reason: "starting /x: no such file", isOfRelease: true))
        #expect(
            world.snapshot.ghosted.map(\.reason) == [
                "instance 1: version 0.1.1 cannot be started: starting /x: no such file"
            ])
        #expect(world.take().contains(.revert(1, ReleaseID(version: "0.1.0", hash: "a"))))
    }

    @Test func `a host that cannot start a program is no fault of the release`() {
        var world = staged(.fullDeployment(reason: .notConnected))
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        for _ in 0..<8 {
            world.tell(.spawnFailed(1, reason: "no memory"))
            world.advance(.seconds(61))
        }
        #expect(world.snapshot.ghosted == [])
    }

    // MARK: A cause outside

    /// 0.1.1 has crashed at the first instance, and 0.1.0 has come back.
    private func fallenBack() -> EngineTranscript {
        var world = staged(.fullDeployment(reason: .notConnected))
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        crash(&world, runs: 2...5)
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
        world.tell(
            .reverted(1, DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)))
        return world
    }

    /// The first instance crashes in each of these runs.
    private func crash(_ world: inout EngineTranscript, runs: ClosedRange<Int>) {
        for run in runs {
            world.spawn(1)
            world.end(1, .code(1))
            if run < runs.upperBound { world.advance(.seconds(60)) }
        }
    }

    @Test func `a version is not guilty of what the version before it fails of, too`() {
        var world = fallenBack()
        crash(&world, runs: 6...9)
        #expect(world.snapshot.ghosted == [])
        #expect(world.snapshot.targetVersion == "0.1.1")
        #expect(world.snapshot.problem?.contains("the cause is not version 0.1.1") == true)
        // It goes on as soon as the instance is ready again.
        _ = world.take()
        _ = world.command(.restart(1))
        world.spawn(1)
        #expect(!world.take().contains { if case .stage = $0 { true } else { false } })
        world.tell(.probed(1, run: 10, .ready))
        #expect(world.take().contains(.stage(1, .two, running: "0.1.0")))
        #expect(world.snapshot.problem == nil)
    }

    @Test func `as long as the cause lasts neither version is ghosted`() {
        var world = fallenBack()
        crash(&world, runs: 6...9)
        world.advance(.seconds(60))
        world.spawn(1)
        world.stageAll()
        world.end(1, .code(1))
        world.tell(.promoted(1, .two))
        crash(&world, runs: 11...14)
        #expect(world.snapshot.ghosted == [])
        #expect(world.log.contains { $0.contains("failed there as well, so it goes on being") })
    }

    @Test func `a version is absolved once`() {
        var world = fallenBack()
        crash(&world, runs: 6...9)
        _ = world.command(.restart(1))
        world.spawn(1)
        world.tell(.probed(1, run: 10, .ready))
        // It is deployed again, and fails again; so does the version before.
        world.stageAll()
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        crash(&world, runs: 11...14)
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
        world.tell(
            .reverted(1, DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)))
        crash(&world, runs: 15...18)
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
    }

    @Test func `an operator's decision is not taken back`() {
        var world = fallenBack()
        _ = world.command(.unghost("0.1.1"))
        _ = world.command(.rollback)
        crash(&world, runs: 6...9)
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
    }
}
