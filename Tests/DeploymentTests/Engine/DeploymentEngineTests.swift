import Supervisor
import Testing
import Transport

@testable import Deployment

@Suite struct DeploymentEngineTests {
    @Test func `the first deployment stages, promotes, starts and waits until ready`() {
        var world = EngineTranscript()
        #expect(world.take() == [.readCatalog])
        world.tell(.catalogRead(.one))
        #expect(world.take() == [.stage(1, .one, running: nil)])
        world.tell(.staged(1, .one, .fullDeployment(reason: .noMatchingVersions)))
        #expect(world.take() == [.promote(1, .one)])
        world.tell(.promoted(1, .one))
        #expect(world.take() == [.spawn(1, run: 1)])
        world.spawn(1)
        #expect(world.take() == [.probe(1, run: 1, .readiness)])
        #expect(world.status(1) == .starting)
        world.tell(.probed(1, run: 1, .unreachable("refused")))
        #expect(world.take() == [])
        world.advance(.milliseconds(200))
        #expect(world.take() == [.probe(1, run: 1, .readiness)])
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.status(1) == .running)
        #expect(world.snapshot.targetVersion == "0.1.0")
        #expect(
            world.snapshot.instances[0].current
                == DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment))
        #expect(
            world.log == [
                "[info] Initialising deployment server",
                "[info] Initialising monitor server for instance: 1",
                "[info] No version set, not able to run_service",
                "[info] Update is needed at instance: 1 from: none to: 0.1.0.",
                "[warning] HOT UPGRADE version NOT DETECTED, full deployment required, "
                    + "result: {:error, :no_match_versions}",
                "[info] Requested instance: 1 to stop but application is not running.",
                "[warning] No previous version set",
                "[info] Ensure running requested for instance: 1 version: 0.1.0",
                "[info]  # Running instance: 1, monitoring OS process id = 101.",
                "[info] Application instance: 1 is running",
            ])
    }

    @Test func `replicas are replaced one at a time, each ready before the next`() {
        var world = EngineTranscript(
            replicas: 3, found: Array(repeating: .running(.one), count: 3))
        #expect(
            world.take() == [.spawn(1, run: 1), .spawn(2, run: 1), .spawn(3, run: 1), .readCatalog])
        for number in InstanceNumber.first(3) { world.boot(number, run: 1) }
        world.tell(.catalogRead(.two))
        world.stageAll()
        #expect(world.take().suffix(2) == [.stage(3, .two, running: "0.1.0"), .terminate(1)])
        for number in InstanceNumber.first(3) {
            world.tell(.exited(number, .code(0)))
            #expect(world.take() == [], "the session's other processes may hold the port")
            world.tell(.sessionEnded(number))
            #expect(world.take() == [.promote(number, .two)])
            world.tell(.promoted(number, .two))
            #expect(world.take() == [.spawn(number, run: 2)])
            world.spawn(number)
            #expect(world.take() == [.probe(number, run: 2, .readiness)])
            world.tell(.probed(number, run: 2, .ready))
            let next = number.advanced(by: 1)
            #expect(
                world.take() == (number < 3 ? [.terminate(next)] : []))
        }
        #expect(world.snapshot.instances.allSatisfy { $0.current?.version == "0.1.1" })
        #expect(world.snapshot.instances.allSatisfy { $0.previous?.version == "0.1.0" })
        #expect(world.snapshot.instances.allSatisfy { $0.crashRestarts == 0 })
    }

    @Test func `a hot upgrade keeps the process and is done once it is seen ready`() {
        var world = EngineTranscript(found: [.running(.two)])
        let identity = world.boot(1, run: 1)
        world.tell(.catalogRead(.three))
        _ = world.take()
        world.tell(.staged(1, .three, .hotUpgrade(from: "0.1.1", to: "0.1.2")))
        #expect(world.take() == [.hotUpgrade(1, from: "0.1.1", to: .three)])
        world.tell(.hotUpgraded(1, .three))
        #expect(world.take() == [.probe(1, run: 2, .readiness)])
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.take() == [], "an answer that was under way speaks of the version before")
        world.tell(.probed(1, run: 2, .ready))
        let instance = world.snapshot.instances[0]
        #expect(instance.identity == identity)
        #expect(instance.current?.version == "0.1.2")
        #expect(instance.current?.deployment == .hotUpgrade)
        #expect(instance.previous?.version == "0.1.1")
        #expect(world.log.contains("[warning] HOT UPGRADE version DETECTED, from: 0.1.1 to: 0.1.2"))
        #expect(
            world.log.contains(
                "[info] Release upgrade executed with success at instance: 1 from: 0.1.1 to: 0.1.2")
        )
    }

    @Test func `a failed hot upgrade becomes a full deployment of the same package`() {
        var world = EngineTranscript(found: [.running(.two)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.three))
        world.tell(.staged(1, .three, .hotUpgrade(from: "0.1.1", to: "0.1.2")))
        _ = world.take()
        world.tell(
            .hotUpgradeFailed(1, .three, reason: "code_change_failed", nodeIsUntouched: false))
        #expect(world.take() == [.terminate(1)])
        world.end(1, .code(0))
        #expect(world.take() == [.promote(1, .three)])
    }

    @Test func `an instance that died during its hot upgrade is deployed in full at once`() {
        var world = EngineTranscript(found: [.running(.two)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.three))
        world.tell(.staged(1, .three, .hotUpgrade(from: "0.1.1", to: "0.1.2")))
        world.end(1, .signal(9))
        _ = world.take()
        world.tell(
            .hotUpgradeFailed(1, .three, reason: "connection lost", nodeIsUntouched: false))
        #expect(world.take() == [.promote(1, .three)])
    }

    @Test func `an instance that is not ready is not hot-upgraded`() {
        var world = EngineTranscript(found: [.running(.two)])
        world.spawn(1)
        world.tell(.catalogRead(.three))
        _ = world.take()
        world.tell(.staged(1, .three, .hotUpgrade(from: "0.1.1", to: "0.1.2")))
        #expect(world.take() == [.terminate(1)])
    }

    @Test func `a crash is restarted after the back-off and counted, the others untouched`() {
        var world = EngineTranscript(
            replicas: 2, found: Array(repeating: .running(.one), count: 2))
        world.boot(1, run: 1)
        world.boot(2, run: 1)
        world.tell(.catalogRead(.one))
        _ = world.take()
        world.end(2, .signal(9))
        #expect(world.status(2) == .backoff)
        #expect(world.take() == [])
        world.advance(.seconds(1))
        #expect(world.take() == [.spawn(2, run: 2), .probe(1, run: 1, .liveness)])
        world.boot(2, run: 2)
        #expect(world.snapshot.instances.map(\.crashRestarts) == [0, 1])
        #expect(world.status(1) == .running)
        #expect(
            world.log.contains(
                "[error] Application instance: 2 crashed (killed by signal 9 (SIGKILL)), "
                    + "for the first time; it is restarted in 1 s"))
    }

    @Test func `a version that cannot start does not stop the rollout of a fixed one`() {
        var world = EngineTranscript(
            replicas: 2, found: Array(repeating: .running(.one), count: 2))
        world.boot(1, run: 1)
        world.boot(2, run: 1)
        world.tell(.catalogRead(.two))
        world.stageAll()
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        world.spawn(1)
        world.end(1, .code(1))
        #expect(world.status(1) == .backoff)
        _ = world.take()
        world.publish(.three)
        // The broken instance comes first; the healthy one is not touched before it is mended.
        #expect(
            world.take() == [
                .readCatalog, .discardStaged(2), .stage(1, .three, running: "0.1.1"),
                .stage(2, .three, running: "0.1.0"),
            ])
        world.stageAll()
        #expect(world.take() == [.promote(1, .three)])
        world.tell(.promoted(1, .three))
        #expect(world.take() == [.spawn(1, run: 3)])
    }

    @Test func `a version that is not ready in time is not carried any further`() {
        var world = EngineTranscript(
            replicas: 2, found: Array(repeating: .running(.one), count: 2))
        world.boot(1, run: 1)
        world.boot(2, run: 1)
        world.tell(.catalogRead(.two))
        world.stageAll()
        world.end(1, .code(0))
        world.tell(.promoted(1, .two))
        world.spawn(1)
        _ = world.take()
        world.advance(.seconds(600))
        #expect(world.log.contains { $0.contains("is not ready after 600 s") })
        #expect(!world.take().contains(.terminate(2)))
        #expect(world.status(2) == .running)
    }

    @Test func `a package that cannot be staged is tried again, later and later`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        _ = world.take()
        for delay in [5, 10, 20] {
            world.tell(.stagingFailed(1, .two, reason: "no such package"))
            #expect(world.log.last == "[error] no such package; next attempt in \(delay) s")
            #expect(world.status(1) == .running)
            world.advance(.seconds(delay) - .milliseconds(1))
            #expect(!world.take().contains(.stage(1, .two, running: "0.1.0")))
            world.advance(.milliseconds(1))
            #expect(world.take().contains(.stage(1, .two, running: "0.1.0")))
        }
        // Another release starts afresh, at once.
        world.tell(.stagingFailed(1, .two, reason: "no such package"))
        world.publish(.three)
        #expect(world.take().contains(.stage(1, .three, running: "0.1.0")))
    }

    @Test func `a promotion that failed starts the old release again`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        world.tell(.staged(1, .two, .fullDeployment(reason: .noMatchingVersions)))
        world.end(1, .code(0))
        _ = world.take()
        world.tell(.promotionFailed(1, .two, reason: "no space left on device"))
        #expect(world.take() == [.spawn(1, run: 2)])
        #expect(world.snapshot.instances[0].current?.version == "0.1.0")
    }

    @Test func `a release replaced while it was fetched is not deployed`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        world.publish(.three)
        _ = world.take()
        world.tell(.staged(1, .two, .fullDeployment(reason: .noMatchingVersions)))
        #expect(world.take() == [.discardStaged(1), .stage(1, .three, running: "0.1.0")])
    }

    @Test func `a catalog that cannot be read is told once, and read again`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogReadFailed("current.json is half-written"))
        #expect(world.snapshot.problem == "current.json is half-written")
        _ = world.take()
        world.advance(.seconds(5))
        #expect(world.take().contains(.readCatalog))
        world.tell(.catalogReadFailed("current.json is half-written"))
        #expect(world.log.filter { $0.contains("half-written") }.count == 1)
        world.tell(.catalogAnnounced)
        #expect(world.take().contains(.readCatalog))
        #expect(world.status(1) == .running)
    }

    @Test func `the last ready instance is not taken down while another is on its way`() {
        var world = EngineTranscript(
            replicas: 2, found: [.running(.two), .running(.one)])
        world.boot(2, run: 1)
        world.spawn(1)
        world.tell(.catalogRead(.two))
        #expect(!world.take().contains(.stage(2, .two, running: "0.1.0")))
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.take().contains(.stage(2, .two, running: "0.1.0")))
    }

    @Test func `an answer about an earlier process is not taken for one about this`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.spawn(1)
        world.end(1, .code(1))
        world.advance(.seconds(1))
        world.spawn(1)
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.status(1) == .starting)
        world.tell(.probed(1, run: 2, .ready))
        #expect(world.status(1) == .running)
    }

    @Test func `shutting down stops every instance and then finishes, once`() {
        var world = EngineTranscript(
            replicas: 2, found: Array(repeating: .running(.one), count: 2))
        world.boot(1, run: 1)
        world.boot(2, run: 1)
        _ = world.take()
        world.tell(.shutdownRequested)
        #expect(world.take() == [.terminate(1), .terminate(2)])
        world.end(2, .code(0))
        #expect(world.take() == [])
        world.advance(.seconds(10))
        #expect(world.take() == [.killSession(1)])
        world.end(1, .signal(9))
        #expect(world.take() == [.finish])
        world.tell(.shutdownRequested)
        #expect(world.take() == [])
    }

    @Test func `a connection that was lost is looked into at once`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        _ = world.take()
        world.tell(.disconnected(1))
        #expect(world.snapshot.instances[0].isConnected == false)
        #expect(world.take() == [.probe(1, run: 1, .liveness)])
    }

    @Test func `what lasts is told once, a single failed probe is not`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.advance(.seconds(5))
        for _ in 0..<2 { world.tell(.probed(1, run: 1, .unreachable("refused"))) }
        #expect(!world.log.contains { $0.contains("does not answer") })
        for _ in 0..<3 { world.tell(.probed(1, run: 1, .unreachable("refused"))) }
        #expect(world.log.filter { $0.contains("does not answer") }.count == 1)
        #expect(world.status(1) == .running)
    }
}
