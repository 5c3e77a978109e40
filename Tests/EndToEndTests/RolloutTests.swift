import Glibc
import TestKit
import Testing

/// Three replicas of the example, from the first deployment on.
@Suite(.serialized, .sharedWorld(.init(replicas: 3, epmd: .real)))
struct RolloutTests {
    let world: DeployexWorld

    init() throws {
        world = try .current
    }

    @Test func `a first deployment starts the replicas one after the other`() async throws {
        let world = world
        try await world.publish("0.1.0")
        try await world.waitUntilAllRun("0.1.0")

        let lines = await world.log.split(separator: "\n").map(String.init)
        for instance in 1...3 {
            let update = "[info] Update is needed at instance: \(instance) from: none to: 0.1.0."
            #expect(lines.contains(update))
        }
        for instance in 2...3 {
            let start = try #require(
                lines.firstIndex { $0.contains("service/counter/\(instance)/current/bin/counter") })
            let ready = try #require(
                lines.firstIndex(of: "[info] Application instance: \(instance - 1) is running"))
            #expect(ready < start)
        }
        let status = try #require(try await world.status())
        #expect(status.node == "deployex@\(ThisHost.name)")
        #expect(status.apps.map(\.targetVersion) == ["0.1.0"])
        for instance in 1...3 {
            let answer = try #require(await world.answer(instance))
            #expect(answer.node == world.node(instance))
            #expect(answer.instance == instance)
            let found = status.instances[instance - 1]
            #expect(found.osPid == answer.osPID)
            #expect(found.port == world.firstPort + instance - 1)
            #expect(found.lastDeployment == "full_deployment")
            #expect(found.previousVersion == nil)
            #expect(world.serviceEntries(instance) == ["current"])
        }
    }

    @Test func `a killed virtual machine is restarted and counted, the others are untouched`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let before = try await world.answers()
        let victim = before[1].osPID
        let crashes = try await world.status(of: 2).crashRestarts
        let mark = await world.logMark
        await world.kill(victim)
        let back = try await world.waitForAnswer(2, version: "0.1.0", otherThan: victim)
        #expect(back.counter == 0)
        try await world.waitForLog("Application instance: 2 crashed", after: mark)
        try await world.waitUntilAllRun("0.1.0")
        #expect(try await world.status(of: 2).crashRestarts == crashes + 1)
        let after = try await world.answers()
        #expect([after[0].osPID, after[2].osPID] == [before[0].osPID, before[2].osPID])
        #expect(try await world.status(of: 1).crashRestarts == 0)
        #expect(try await world.status(of: 3).crashRestarts == 0)
    }

    @Test func `a full deployment replaces one replica at a time and keeps the release before`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let before = try await world.answers()
        try await world.publish("0.1.1")
        let mostDown = try await world.mostDownWhileRollingOut("0.1.1")
        #expect(mostDown <= 1)
        try await world.waitUntilAllRun("0.1.1")
        let after = try await world.answers()
        for instance in 1...3 {
            #expect(after[instance - 1].osPID != before[instance - 1].osPID)
            #expect(world.serviceEntries(instance) == ["current", "previous"])
            #expect(await world.bootVersion(world.service(instance, "current")) == "0.1.1")
            #expect(await world.bootVersion(world.service(instance, "previous")) == "0.1.0")
            #expect(
                try await world.versionFile(instance, "current")
                    == VersionFile(
                        version: "0.1.1", hash: "local", deployment: "full_deployment"))
            #expect(
                try await world.versionFile(instance, "previous")
                    == VersionFile(
                        version: "0.1.0", hash: "local", deployment: "full_deployment"))
            #expect(try await world.status(of: instance).previousVersion == "0.1.0")
        }
    }

    @Test func `a hot upgrade keeps processes, counters and configuration, and survives a kill`()
        async throws
    {
        try await world.bring(to: "0.1.1")
        for instance in 1...3 {
            for _ in 0..<instance { _ = try await world.post("/increment", instance) }
        }
        let before = try await world.answers()
        #expect(before.map(\.counter) == [1, 2, 3])
        let mark = await world.logMark
        try await world.publish("0.1.2")
        try await world.waitUntilAllRun("0.1.2")

        let after = try await world.answers()
        #expect(after.map(\.osPID) == before.map(\.osPID))
        #expect(after.map(\.counter) == [1, 2, 3])
        #expect(after.map(\.greeting) == Array(repeating: "hello from a test", count: 3))
        let log = await world.log(after: mark)
        #expect(log.contains("[warning] HOT UPGRADE version DETECTED, from: 0.1.1 to: 0.1.2"))
        for words in [
            "Unpacked successfully", "Installed Release", "Made release permanent: 0.1.2",
        ] {
            #expect(log.contains(words))
        }
        // All three are staged before the first of them is touched.
        let touched = try #require(log.firstRange(of: "HOT UPGRADE version DETECTED"))
        #expect(log[..<touched.lowerBound].split(separator: "Update is needed").count == 4)
        #expect(!log[touched.upperBound...].contains("Update is needed"))
        for instance in 1...3 {
            #expect(
                log.contains(
                    "Release upgrade executed with success at instance: \(instance)"
                        + " from: 0.1.1 to: 0.1.2"))
            #expect(try await world.status(of: instance).lastDeployment == "hot_upgrade")
            #expect(try await world.versionFile(instance, "current").deployment == "hot_upgrade")
            #expect(try await world.versionFile(instance, "previous").version == "0.1.1")
            #expect(!world.serviceEntries(instance).contains { $0.hasPrefix("new") })
        }
        let releases = try await world.command(
            "rpc", "counter-1", "release_handler", "which_releases")
        #expect(releases.status == 0)
        #expect(releases.stdout.contains(#"{"counter","0.1.2","#))
        #expect(releases.stdout.contains("permanent}"))
        let permanent = try await world.command(
            "rpc", "counter-1", "release_handler", "which_releases", "[permanent]")
        #expect(permanent.stdout.contains(#""0.1.2""#))
        #expect(!permanent.stdout.contains(#""0.1.1""#))

        await world.kill(after[0].osPID)
        let back = try await world.waitForAnswer(1, version: "0.1.2", otherThan: after[0].osPID)
        #expect(back.counter == 0)
        #expect(back.greeting == "hello from a test")
        try await world.waitUntilAllRun("0.1.2")
        #expect(try await world.answers()[1...].map(\.osPID) == before[1...].map(\.osPID))
    }
}

extension DeployexWorld {
    /// What all instances answer, each of which must.
    func answers() throws -> [CounterAnswer] {
        try (1...options.replicas).map { instance in
            guard let answer = answer(instance) else {
                throw TestFailure("instance \(instance) does not answer")
            }
            return answer
        }
    }

    /// Ends a process of this world's instances with SIGKILL.
    func kill(_ pid: Int32, _ signal: Int32 = SIGKILL) {
        guard instancePIDs.contains(pid) else {
            Issue.record("process \(pid) is none of this world's")
            return
        }
        _ = Glibc.kill(pid, signal)
    }

    /// Asks all instances until each answers as `version`; the most that were silent at once.
    func mostDownWhileRollingOut(_ version: String) throws -> Int {
        var mostDown = 0
        try wait("the rollout of \(version)", for: .seconds(60)) {
            let found = (1...options.replicas).map { answer($0) }
            var down = found.indices.filter { found[$0] == nil }
            // One that comes back while the next one goes is not two at once: look again.
            if down.count > 1 { down = down.filter { answer($0 + 1) == nil } }
            mostDown = max(mostDown, down.count)
            return found.allSatisfy { $0?.version == version }
        }
        return mostDown
    }
}
