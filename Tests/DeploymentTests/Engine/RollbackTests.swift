import Foundation
import Supervisor
import Testing
import Transport

@testable import Deployment

/// A release that fails is ghosted, and the last good one comes back.
@Suite struct RollbackTests {
    /// Two instances that run 0.1.0 well; 0.1.1 has been promoted at the first.
    private func trial(replicas: Int = 2) -> EngineTranscript {
        var world = EngineTranscript(
            replicas: replicas, found: Array(repeating: .running(.one), count: replicas))
        for number in InstanceNumber.first(replicas) { world.boot(number, run: 1) }
        world.tell(.catalogRead(.two))
        world.replace(1, with: .two)
        _ = world.take()
        return world
    }

    @Test func `a version that is not ready in time is ghosted with the reason and the last lines`()
    {
        var world = trial()
        world.spawn(1)
        world.advance(.seconds(599))
        #expect(world.snapshot.ghosted == [])
        world.advance(.seconds(1))
        let id = ReleaseID(version: "0.1.1", hash: "b")
        let actions = world.take()
        #expect(actions.contains(.readLogTail(1, id)))
        // The way back begins at once, with the release that still stands in `previous`.
        #expect(actions.contains(.terminate(1)))
        #expect(world.snapshot.targetVersion == "0.1.0")
        world.tell(.logTailRead(1, id, lines: ["** (RuntimeError) no database"]))
        let ghost = world.snapshot.ghosted[0]
        #expect(ghost.reason == "instance 1: version 0.1.1 is not ready after 600 s")
        #expect(ghost.logLines == ["** (RuntimeError) no database"])
        #expect(ghost.at == 1_600)
        #expect(world.saved?.isGhosted(id) == true)
        #expect(world.log.contains("[error]   ** (RuntimeError) no database"))

        world.end(1, .code(0))
        #expect(world.take() == [.revert(1, ReleaseID(version: "0.1.0", hash: "a"))])
        world.tell(
            .reverted(1, DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)))
        #expect(world.take() == [.spawn(1, run: 3)])
        world.boot(1, run: 3)
        #expect(world.snapshot.instances[0].current?.version == "0.1.0")
        #expect(world.snapshot.history.map(\.outcome) == [.failed, .succeeded])
        #expect(world.snapshot.history.map(\.kind) == [.fullDeployment, .rollback])
        // Instance 2 has never been touched, and the ghost is not deployed again.
        #expect(world.status(2) == .running)
        world.publish(.two)
        world.advance(.seconds(5))
        #expect(!world.take().contains { if case .stage = $0 { true } else { false } })
    }

    @Test func `more crashes than allowed ghost a version long before its deadline`() {
        var world = trial()
        for run in 2...5 {
            world.spawn(1)
            #expect(world.snapshot.ghosted == [])
            world.end(1, .code(1))
            if run < 5 { world.advance(.seconds(60)) }
        }
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
        #expect(
            world.snapshot.ghosted[0].reason
                == "instance 1: version 0.1.1 crashed 4 times, the last time: exit status 1")
    }

    @Test func `a version that was ready and then crashes again and again goes back everywhere`() {
        var world = trial()
        world.boot(1, run: 2)
        world.replace(2, with: .two)
        world.boot(2, run: 2)
        _ = world.take()
        #expect(world.snapshot.history.map(\.outcome) == [.succeeded, .succeeded])
        for run in 3...6 {
            world.end(2, .signal(11))
            if run == 6 { break }
            world.advance(.seconds(60))
            world.spawn(2)
        }
        #expect(world.snapshot.ghosted.map(\.version) == ["0.1.1"])
        // The broken one first, then the one that works.
        #expect(world.take().contains(.revert(2, ReleaseID(version: "0.1.0", hash: "a"))))
        let one = DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)
        world.tell(.reverted(2, one))
        #expect(!world.take().contains(.terminate(1)))
        world.boot(2, run: 6)
        #expect(world.take().contains(.terminate(1)))
        world.end(1, .code(0))
        world.tell(.reverted(1, one))
        world.boot(1, run: 3)
        #expect(world.snapshot.instances.allSatisfy { $0.current?.version == "0.1.0" })
    }

    @Test func `a crash after the trial is over is only restarted`() {
        var world = trial(replicas: 1)
        world.boot(1, run: 2)
        world.advance(.seconds(601))
        for run in 3...8 {
            world.end(1, .code(1))
            world.advance(.seconds(60))
            world.boot(1, run: run)
        }
        #expect(world.snapshot.ghosted == [])
        #expect(world.snapshot.instances[0].crashRestarts == 6)
    }

    @Test func `the first version of all has nothing to go back to, and goes on being restarted`() {
        var world = EngineTranscript(replicas: 2)
        world.tell(.catalogRead(.one))
        world.replace(1, with: .one)
        world.spawn(1)
        world.advance(.seconds(600))
        #expect(world.snapshot.ghosted == [])
        #expect(world.log.contains { $0.contains("there is no earlier version to go back to") })
        _ = world.take()
        // What it waited for has come: the rollout goes on.
        world.tell(.probed(1, run: 1, .ready))
        #expect(world.take().contains(.promote(2, .one)))
    }

    @Test func `the same version with another hash may be deployed, and replaces the ghost`() throws
    {
        var world = trial()
        world.spawn(1)
        world.advance(.seconds(600))
        _ = world.take()
        let fixed = try Release(version: "0.1.1", hash: "fixed")
        world.publish(fixed)
        world.end(1, .code(0))
        // The way back is not gone any further: the fixed one is what is wanted now.
        #expect(world.take().contains(.stage(1, fixed, running: "0.1.1")))
    }

    @Test func `an unghosted version is deployed again`() {
        var world = trial()
        world.spawn(1)
        world.advance(.seconds(600))
        world.end(1, .code(0))
        world.tell(
            .reverted(1, DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)))
        world.boot(1, run: 3)
        _ = world.take()
        #expect(world.command(.unghost("9.9.9")) == .refused("version 9.9.9 is not ghosted"))
        #expect(world.command(.unghost("0.1.1")) == .done("version 0.1.1 may be deployed again"))
        #expect(world.take().contains(.stage(1, .two, running: "0.1.0")))
    }

    @Test func `a previous release that cannot be brought back is deployed from its package`() {
        var world = trial()
        world.spawn(1)
        world.advance(.seconds(600))
        world.end(1, .code(0))
        _ = world.take()
        world.tell(.reversionFailed(1, reason: "no such folder"))
        #expect(world.take().contains(.stage(1, .one, running: "0.1.1")))
    }

    /// 0.1.2 on trial at the first of two instances that ran 0.1.1, whose package has been published
    /// again meanwhile; 0.1.0 was good before.
    private func trialAfterRepublication(good: [Release]) throws -> EngineTranscript {
        var record = ApplicationRecord()
        for release in good { _ = record.noteGood(release, latest: true) }
        var world = EngineTranscript(
            replicas: 2, found: [.running(.two), .running(.two)], record: record)
        for number in InstanceNumber.first(2) { world.boot(number, run: 1) }
        world.publish(try Release(version: "0.1.1", hash: "again"))
        world.publish(.three)
        world.replace(1, with: .three)
        world.spawn(1)
        world.advance(.seconds(600))
        return world
    }

    @Test func `a good release that was published again comes back from where it still stands`()
        throws
    {
        var world = try trialAfterRepublication(good: [.one, .two])
        world.end(1, .code(0))
        #expect(world.take().contains(.revert(1, Release.two.id)))
    }

    @Test func `other bytes of a good release are never deployed as that: an older one comes back`()
        throws
    {
        var world = try trialAfterRepublication(good: [.one, .two])
        world.end(1, .code(0))
        world.tell(.reversionFailed(1, reason: "no such folder"))
        #expect(world.take().contains(.stage(1, .one, running: "0.1.2")))
        #expect(world.snapshot.targetVersion == "0.1.0")
    }

    @Test func `an instance that has lost what it ran cannot go back to what it ran before`() throws
    {
        var record = ApplicationRecord()
        for release in [Release.one, .two] { _ = record.noteGood(release, latest: true) }
        var world = EngineTranscript(
            replicas: 2, found: [.running(.two), .running(.two)], record: record)
        for number in InstanceNumber.first(2) { world.boot(number, run: 1) }
        world.publish(try Release(version: "0.1.1", hash: "again"))
        world.publish(.three)
        world.replace(1, with: .three)
        world.tell(.stands(1, nil))
        #expect(world.command(.rollback) == .done("going back from 0.1.2 to 0.1.0"))
        #expect(world.snapshot.targetVersion == "0.1.0")
    }

    @Test func `where nothing good is left the last publication of it comes, as a new release`()
        throws
    {
        var world = try trialAfterRepublication(good: [.two])
        world.end(1, .code(0))
        world.tell(.reversionFailed(1, reason: "no such folder"))
        let again = try Release(version: "0.1.1", hash: "again")
        #expect(world.take().contains(.stage(1, again, running: "0.1.2")))
        // Instance 2 runs what was good, and goes on with it.
        world.spawn(1)
        world.replace(1, with: again)
        world.boot(1, run: 4)
        #expect(!world.take().contains { if case .stage = $0 { true } else { false } })
    }

    @Test func `what was published again replaces a good release that does not stay up`() throws {
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        let again = try Release(version: "0.1.0", hash: "again")
        world.publish(again)
        for run in 2...5 {
            #expect(!world.take().contains { if case .stage = $0 { true } else { false } })
            world.end(1, .code(1))
            guard run < 5 else { break }
            world.advance(.seconds(60))
            world.boot(1, run: run)
        }
        #expect(world.take().contains(.stage(1, again, running: "0.1.0")))
    }

    @Test func `a record of before publications were kept is read`() throws {
        var record = ApplicationRecord()
        record.notePublished(.one)
        _ = record.noteGood(.two, latest: true)
        let bytes = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(ApplicationRecord.self, from: bytes) == record)
        var text = String(decoding: bytes, as: UTF8.self)
        let key = try #require(text.firstRange(of: "\"published\":"))
        let end = try #require(text[key.upperBound...].firstRange(of: "}]"))
        text.replaceSubrange(key.lowerBound..<end.upperBound, with: "\"other\":[]")
        let old = try JSONDecoder().decode(ApplicationRecord.self, from: Data(text.utf8))
        #expect(old.good == [.two])
        #expect(old.isInStore(Release.one.id))
    }

    @Test func `an operator goes back by hand, to where an instance after the other follows`() {
        var world = trial()
        world.boot(1, run: 2)
        world.replace(2, with: .two)
        world.boot(2, run: 2)
        _ = world.take()
        #expect(world.command(.rollback) == .done("going back from 0.1.1 to 0.1.0"))
        #expect(world.snapshot.ghosted[0].reason == "rolled back by an operator")
        #expect(world.take().contains(.terminate(1)))
        #expect(
            world.command(.rollback)
                == .refused("there is no version before 0.1.0 that was ready once"))
    }

    @Test func `the history says who has asked for a version, and of no other`() throws {
        let asked = try Release(version: "0.1.1")
        var world = EngineTranscript(found: [.running(.one)])
        world.boot(1, run: 1)
        #expect(world.command(.deploy(version: "0.1.1"), by: "ann") != nil)
        #expect(world.snapshot.rollout?.steps.last?.phase == .staging)
        world.replace(1, with: asked)
        #expect(world.snapshot.rollout?.steps.last?.phase == .awaitingReady)
        world.boot(1, run: 2)
        #expect(world.snapshot.rollout == nil)
        #expect(world.snapshot.history.map(\.askedBy) == ["ann"])
        // It goes back by itself.
        for run in 3...6 {
            world.end(1, .code(1))
            guard run < 6 else { break }
            world.advance(.seconds(60))
            world.boot(1, run: run)
        }
        world.tell(
            .reverted(1, DeployedRelease(version: "0.1.0", hash: "a", deployment: .fullDeployment)))
        world.boot(1, run: 6)
        #expect(world.snapshot.targetVersion == "0.1.0")
        #expect(world.snapshot.history.map(\.askedBy) == ["ann", nil])
    }

    @Test func `what ran before is gone back to, though deployex was killed before it was ready`()
        throws
    {
        var record = ApplicationRecord()
        _ = record.noteGood(.one, latest: true)
        _ = record.noteGood(.two, latest: true)
        // 0.1.0 had been deployed again.
        var world = EngineTranscript(found: [.running(.one)], record: record)
        world.tell(.catalogRead(.one))
        world.boot(1, run: 1)
        let three = try Release(version: "0.1.2", hash: "c")
        world.publish(three)
        world.replace(1, with: three)
        world.boot(1, run: 2)
        #expect(world.command(.rollback) == .done("going back from 0.1.2 to 0.1.0"))
    }

    @Test func `a ghost is known to the next deployex`() {
        var world = trial()
        world.spawn(1)
        world.advance(.seconds(600))
        let record = world.saved ?? ApplicationRecord()
        var next = EngineTranscript(
            replicas: 2, found: [.running(.two), .running(.one)], record: record)
        next.boot(2, run: 1)
        next.tell(.catalogRead(.two))
        // Instance 1 goes back; there is no `previous` any more, so from the package.
        #expect(next.take().contains(.stage(1, .one, running: "0.1.1")))
    }
}
