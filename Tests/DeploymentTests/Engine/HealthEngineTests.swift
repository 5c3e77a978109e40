import Supervisor
import Testing
import Transport

@testable import Deployment

/// Liveness, pre-commands, and what operators ask for.
@Suite struct HealthEngineTests {
    @Test func `an instance that does not respond is noticed at once, killed at last, and counted`()
    {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        for _ in 1..<10 {
            world.advance(.seconds(1))
            _ = world.take()
            world.tell(.probed(1, run: 1, .unresponsive("no answer in time")))
            #expect(world.status(1) == .unresponsive)
            #expect(world.snapshot.instances[0].reason == "no answer in time")
            #expect(!world.actions.contains(.killSession(1)))
        }
        world.tell(.probed(1, run: 1, .unresponsive("no answer in time")))
        #expect(world.take().contains(.killSession(1)))
        world.end(1, .signal(9))
        #expect(world.take().contains(.spawn(1, run: 2)))
        #expect(world.snapshot.instances[0].crashRestarts == 1)
        #expect(world.log.filter { $0.contains("does not respond: no answer") }.count == 1)
    }

    @Test func `when all hang, one is killed, and the others when that has helped`() {
        var world = EngineTranscript(
            replicas: 3, found: Array(repeating: .running(.one), count: 3))
        for number in InstanceNumber.first(3) { world.boot(number, run: 1) }
        _ = world.take()
        func silence(of numbers: [InstanceNumber], times: Int) {
            for _ in 0..<times {
                for number in numbers { world.tell(.probed(number, run: 1, .unresponsive("late"))) }
            }
        }
        silence(of: [1, 2, 3], times: 10)
        var killed = world.take().filter { if case .killSession = $0 { true } else { false } }
        #expect(killed == [.killSession(1)])
        world.end(1, .signal(9))
        world.spawn(1)
        silence(of: [2, 3], times: 30)
        #expect(!world.take().contains(.killSession(2)))
        world.tell(.probed(1, run: 2, .ready))
        silence(of: [2, 3], times: 1)
        killed = world.take().filter { if case .killSession = $0 { true } else { false } }
        #expect(killed == [.killSession(2), .killSession(3)])
    }

    @Test func `one answer in between begins the count again`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        for _ in 0..<3 {
            for _ in 1..<10 {
                world.tell(.probed(1, run: 1, .unresponsive("no answer in time")))
            }
            world.tell(.probed(1, run: 1, .ready))
        }
        #expect(!world.take().contains(.killSession(1)))
        #expect(world.status(1) == .running)
    }

    @Test func `silence is seen within two seconds`() {
        let timings = EngineConfiguration.Timings()
        #expect(timings.livenessInterval + timings.livenessTimeout < .seconds(2))
    }

    @Test func `status says why no process runs`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.exited(1, .code(3)))
        world.tell(.sessionEnded(1))
        #expect(world.status(1) == .backoff)
        #expect(world.snapshot.instances[0].reason == "its process ended: exit status 3")
        world.advance(.seconds(1))
        world.tell(.spawnFailed(1, reason: "there is no bin/counter", isOfRelease: false))
        #expect(world.status(1) == .failed)
        #expect(world.snapshot.instances[0].reason == "there is no bin/counter")
        world.advance(.seconds(60))
        world.boot(1, run: 3)
        #expect(world.status(1) == .running)
        #expect(world.snapshot.instances[0].reason == nil)
    }

    @Test func `what a hot upgrade has left behind is told, and waits for a restart`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.publish(.two)
        world.tell(.staged(1, .two, .hotUpgrade(from: "0.1.0", to: "0.1.1")))
        world.tell(.hotUpgraded(1, .two, leftBehind: .init(children: ["a of b"])))
        world.tell(.probed(1, run: 2, .ready))
        let instance = world.snapshot.instances[0]
        #expect(instance.status == .running && instance.current?.version == "0.1.1")
        #expect(instance.pendingRestart == "children are not started: a of b")
        #expect(world.notes[1]?.pendingRestart == PendingRestart(children: ["a of b"]))
        #expect(
            world.log.contains {
                $0.hasPrefix("[warning] The hot upgrade of instance: 1 has left something behind")
            })
        #expect(world.command(.restart(1)) == .done("instance 1 is being restarted"))
        world.end(1, .code(0))
        #expect(world.snapshot.instances[0].pendingRestart == nil)
        #expect(world.notes[1]?.pendingRestart == PendingRestart())
    }

    @Test func `a further hot upgrade says anew what runs old code, and starts no child`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        func upgrade(_ release: Release, from: String, _ left: HotUpgrade.Remains, run: Int) {
            world.publish(release)
            world.tell(.staged(1, release, .hotUpgrade(from: from, to: release.version)))
            world.tell(.hotUpgraded(1, release, leftBehind: left))
            world.tell(.probed(1, run: run, .ready))
        }
        upgrade(.two, from: "0.1.0", .init(modules: ["m"], children: ["a of s"]), run: 2)
        #expect(
            world.snapshot.instances[0].pendingRestart
                == "old code runs: m; children are not started: a of s")
        upgrade(.three, from: "0.1.1", .init(children: ["b of s"]), run: 3)
        #expect(
            world.snapshot.instances[0].pendingRestart
                == "children are not started: a of s, b of s")
    }

    @Test func `what is left of several hot upgrades is put together`() {
        var pending = HotUpgrade.Remains(modules: ["m"], children: ["a"]).added(to: .init())
        #expect(pending.text == "old code runs: m; children are not started: a")
        // The node did not say what runs old code.
        pending = HotUpgrade.Remains(modules: nil, children: ["a", "b"]).added(to: pending)
        #expect(pending.text == "old code runs: m; children are not started: a, b")
        pending = HotUpgrade.Remains().added(to: pending)
        #expect(pending.text == "children are not started: a, b")
        #expect(HotUpgrade.Remains().text == nil)
        let many = HotUpgrade.Remains(children: (1...90).map { "c\($0)" }).added(to: pending)
        #expect(many.text == "children are not started: a, b, c1, c2, c3, …")
        #expect(many.children.count == 10)
    }

    @Test func `what waits for a restart is kept by the process alone, and through deployex's end`()
    {
        var world = EngineTranscript(found: [.running(.one)])
        let identity = world.boot(1, run: 1)
        var found = DeploymentEngine.Found.running(.one)
        found.note.pendingRestart.modules = "vm.args has changed"
        found.process = .running(identity, since: world.now, isStopping: false)
        world = EngineTranscript(found: [found])
        #expect(world.snapshot.instances[0].pendingRestart == "vm.args has changed")
        world.end(1, .code(0))
        #expect(world.notes[1]?.pendingRestart == PendingRestart())
        world.advance(.seconds(1))
        world.boot(1, run: 2)
        #expect(world.snapshot.instances[0].pendingRestart == nil)
        // Of a process that has ended meanwhile, nothing is left.
        found.process = .ended
        world = EngineTranscript(found: [found])
        world.boot(1, run: 1)
        #expect(world.snapshot.instances[0].pendingRestart == nil)
    }

    @Test
    func `a node that has never answered is not killed for it: its deadline is the rollout's`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.spawn(1)
        for _ in 0..<20 { world.tell(.probed(1, run: 1, .unresponsive("no answer in time"))) }
        #expect(!world.take().contains(.killSession(1)))
    }

    @Test func `without distribution, alive for the set time is ready`() {
        var readiness = EngineConfiguration.ReadinessCriteria()
        readiness.usesDistribution = false
        readiness.aliveFor = .seconds(3)
        var world = EngineTranscript(found: [.running(.one)], readiness: readiness)
        world.spawn(1)
        _ = world.take()
        world.advance(.seconds(2))
        #expect(world.take() == [])
        world.advance(.seconds(1))
        #expect(world.take() == [.probe(1, run: 1, .readiness)])
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.status(1) == .running)
        #expect(world.snapshot.instances[0].isConnected == false)
    }

    @Test func `pre-commands run once per version, before anything is stopped`() throws {
        let release = try Release(
            version: "0.1.1", hash: "b", preCommands: ["eval Counter.migrate"])
        var world = EngineTranscript(
            replicas: 2, found: Array(repeating: .running(.one), count: 2))
        world.boot(1, run: 1)
        world.boot(2, run: 1)
        world.tell(.catalogRead(release))
        _ = world.take()
        world.stageAll()
        #expect(world.take() == [.runPreCommands(1, release)])
        #expect(world.status(1) == .running)
        world.tell(.preCommandsDone(1, release))
        #expect(world.take() == [.terminate(1)])
        #expect(world.saved?.isPrepared(release.id) == true)
        world.end(1, .code(0))
        world.tell(.promoted(1, release))
        world.boot(1, run: 2)
        #expect(world.take().last == .terminate(2))
    }

    @Test func `a failing pre-command leaves the old version running, and ghosts the new one`()
        throws
    {
        let release = try Release(
            version: "0.1.1", hash: "b", preCommands: ["eval Counter.migrate"])
        var world = EngineTranscript(found: [.running(.one)])
        let identity = world.boot(1, run: 1)
        world.tell(.catalogRead(release))
        world.tell(.staged(1, release, .hotUpgrade(from: "0.1.0", to: "0.1.1")))
        _ = world.take()
        world.tell(.preCommandsFailed(1, release, reason: "exit status 1"))
        #expect(world.take() == [.discardStaged(1)])
        #expect(world.snapshot.instances[0].identity == identity)
        #expect(world.snapshot.ghosted.map(\.reason) == ["exit status 1"])
        #expect(world.snapshot.history.last?.outcome == .failed)
    }

    @Test func `a pinned version is deployed whatever is published, until auto`() throws {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        _ = world.take()
        // The answer to the staging of 0.1.1 comes after the wish for another one.
        guard case .done(let text)? = world.command(.deploy(version: "0.1.2")) else {
            Issue.record("refused")
            return
        }
        #expect(text == "version 0.1.2 is being deployed")
        world.tell(.staged(1, .two, .fullDeployment(reason: .noMatchingVersions)))
        let pinned = try Release(version: "0.1.2")
        #expect(world.take() == [.discardStaged(1), .stage(1, pinned, running: "0.1.0")])
        #expect(world.saved?.pinned == pinned)
        #expect(
            world.command(.deploy(version: nil))
                == .done("the published version is followed again: 0.1.1"))
        #expect(world.command(.deploy(version: "../x")).isRefused)
    }

    @Test func `a pinned version is the publication that the catalog named last`() throws {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        let sha256 = String(repeating: "a", count: 64)
        let earlier = try Release(version: "0.1.2", hash: "b7", sha256: sha256)
        world.tell(.catalogRead(earlier))
        world.tell(.stagingFailed(1, earlier, reason: "no package"))
        world.tell(.catalogRead(.one))
        _ = world.take()
        _ = world.command(.deploy(version: "0.1.2"))
        #expect(world.take() == [.stage(1, earlier, running: "0.1.0")])
        #expect(world.saved?.pinned == earlier)
    }

    @Test func `staging that fails when another release is wanted leads to that one at once`()
        throws
    {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        _ = world.take()
        let three = try Release(version: "0.1.3", hash: "c")
        world.tell(.catalogRead(three))
        world.tell(.stagingFailed(1, .two, reason: "stopped"))
        #expect(world.take() == [.stage(1, three, running: "0.1.0")])
        #expect(world.snapshot.problem == nil)
    }

    @Test func `a restart is counted as asked for, and refused while the instance is changed`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        _ = world.take()
        #expect(world.command(.restart(1)) == .done("instance 1 is being restarted"))
        #expect(world.take() == [.terminate(1)])
        world.end(1, .code(0))
        world.boot(1, run: 2)
        #expect(world.snapshot.instances[0].forcedRestarts == 1)
        #expect(world.snapshot.instances[0].crashRestarts == 0)
        world.tell(.catalogRead(.two))
        world.tell(.staged(1, .two, .fullDeployment(reason: .noMatchingVersions)))
        #expect(
            world.command(.restart(1))
                == .refused(
                    "instance 1 is being changed to 0.1.1: try again when that is done"))
        #expect(
            world.command(.stop(2))
                == .refused("there is no instance 2: counter has instances 1 to 1"))
    }

    @Test func `an instance stopped while its package is fetched is not deployed to`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        _ = world.command(.stop(1))
        world.end(1, .code(0))
        _ = world.take()
        world.tell(.staged(1, .two, .fullDeployment(reason: .noMatchingVersions)))
        #expect(world.take() == [.discardStaged(1)])
        #expect(world.status(1) == .idle)
    }

    @Test func `an attempt whose time has come is no deadline any more`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.tell(.catalogRead(.two))
        world.tell(.stagingFailed(1, .two, reason: "no such package"))
        // There is nothing to try it at.
        _ = world.command(.stop(1))
        world.end(1, .code(0))
        world.advance(.seconds(6))
        #expect(world.engine.nextDeadline.map { $0 > world.now } ?? true)
    }

    @Test
    func `a version that works, published again with other bytes, is ignored and told of once`()
        throws
    {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.publish(.one)
        let again = try Release(version: "0.1.0", hash: "other")
        for _ in 1...3 { world.publish(again) }
        #expect(
            world.log.filter { $0.contains("is ignored") } == [
                "[warning] Version 0.1.0 is published again with hash other, and runs with hash a: "
                    + "the new publication is ignored, because a version that works is not replaced "
                    + "by other bytes. Publish them under another version"
            ])
        #expect(!world.take().contains { if case .stage = $0 { true } else { false } })
        // Another publication of it is news.
        world.publish(try Release(version: "0.1.0", hash: "third"))
        #expect(world.log.filter { $0.contains("is ignored") }.count == 2)
        // Without a hash nobody knows whether it is another one.
        world.publish(try Release(version: "0.1.0"))
        #expect(world.log.filter { $0.contains("is ignored") }.count == 2)
    }

    @Test func `a package that comes late is tried at once, and one that was cut is no failure`() {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        world.publish(.two)
        let staging = EngineAction.stage(1, .two, running: "0.1.0")
        #expect(world.take().contains(staging))
        for _ in 1...6 {
            world.tell(.stagingFailed(1, .two, reason: "it ends too early"))
            #expect(!world.take().contains(staging))
            world.tell(.packagesAnnounced)
            #expect(world.take().contains(staging))
        }
        // It became whole while its half was read.
        world.tell(.packagesAnnounced)
        world.tell(.stagingFailed(1, .two, reason: "it ends too early"))
        #expect(world.log.last?.hasSuffix("it ends too early; next attempt in 0.5 s") == true)
        world.advance(.milliseconds(500))
        #expect(world.take().contains(staging))
        world.tell(.stagingFailed(1, .two, reason: "it ends too early"))
        #expect(world.log.last?.hasSuffix("next attempt in 5 s") == true)
        #expect(world.snapshot.ghosted.isEmpty)
    }

    @Test func `what is decided is on record before anything is done because of it`() {
        var (engine, _) = DeploymentEngine.begin(
            configuration: .init(application: "counter", replicas: 1), found: [.init()],
            now: MonotonicTime(nanoseconds: 0))
        let actions = engine.handle(
            .commanded(1, .deploy(version: "0.1.0")), now: MonotonicTime(nanoseconds: 0))
        guard case .save? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(actions.count > 2)
    }
}

extension CommandResult? {
    var isRefused: Bool {
        if case .refused? = self { true } else { false }
    }
}
