internal import Glibc
internal import Supervisor
internal import TestKit
internal import Transport

/// How long after the end of a process it is known.
struct Exits {
    private let options: MeasureOptions
    private let loop: EventLoop

    init(_ options: MeasureOptions, on loop: EventLoop) {
        self.options = options
        self.loop = loop
    }

    func measure() async throws -> [Figure] {
        let session = try await sessionTimes()
        let site = try Site(
            options, application: "sleeper", instances: Self.instanceCount, on: loop)
        let told: Result<[Duration], any Error>
        do { told = .success(try await deployexTimes(site)) } catch { told = .failure(error) }
        await site.end()
        return [
            Figure(
                "exit to detection, ProcessSession's event", session, p99Below: .milliseconds(50)),
            Figure(
                "exit to detection, deployex's log line", try told.get(),
                p99Below: .milliseconds(50)),
        ]
    }

    // MARK: The session alone

    /// SIGKILL of the leader of a `ProcessSession` until its event arrives.
    private func sessionTimes() async throws -> [Duration] {
        let sleep = try ThisHost.find("sleep")
        var times: [Duration] = []
        for _ in 0..<options.effort.exits {
            let end = Ending()
            let session = try await ProcessSession.start(
                Program(
                    path: sleep, arguments: ["1000"], environment: [:], folder: "/",
                    stdoutPath: "/dev/null", stderrPath: "/dev/null"),
                on: loop, onEvent: { end.received($0) })
            let begin = MonotonicTime.now
            kill(session.identity.pid, SIGKILL)
            times.append(await end.exitTime() - begin)
            await end.wait()
        }
        return times
    }

    // MARK: All of deployex

    /// Enough that none is killed again before it has been well for long.
    private static let instanceCount = 100

    /// SIGKILL of an instance until the line about it stands in deployex's log. The release is a script
    /// that becomes `sleep`, without the distribution.
    private func deployexTimes(_ site: Site) async throws -> [Duration] {
        let count = min(Self.instanceCount, options.effort.exits)
        try await placeSleeper(site)
        let manager = try Manager(
            site, replicas: count,
            variables: ["DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.05"])
        do {
            try await manager.wait("\(count) sleepers", for: .seconds(120)) {
                $0.instances.count == count && $0.allRun("1.0.0")
            }
            var times: [Duration] = []
            for round in 0..<(options.effort.exits + count - 1) / count {
                for number in 1...count {
                    times.append(try await time(number, manager, round))
                }
                try await manager.wait("\(count) sleepers again", for: .seconds(120)) {
                    $0.allRun("1.0.0")
                }
            }
            try await manager.stopAll()
            return times
        } catch {
            await manager.kill()
            throw error
        }
    }

    private func time(_ number: Int, _ manager: Manager, _ round: Int) async throws -> Duration {
        guard let pid = await manager.status()?.instances[number - 1].pid else {
            throw TestFailure("instance \(number) has no process")
        }
        let log = LogFollower(manager.log.path)
        let begin = MonotonicTime.now
        kill(pid, SIGKILL)
        try await log.wait(
            for: "instance: \(number) crashed", within: .seconds(5), on: loop)
        return .now - begin
    }

    private func placeSleeper(_ site: Site) async throws {
        let script = """
            mkdir -p bin releases/1.0.0 storage/dist/sleeper
            printf '#!/bin/sh\\nexec sleep 1000000\\n' >bin/sleeper
            chmod 755 bin/sleeper
            printf '13.0 1.0.0' >releases/start_erl.data
            echo '% none' >releases/1.0.0/sleeper.rel
            tar -czf storage/dist/sleeper/sleeper-1.0.0.tar.gz bin releases
            """
        let folder = site.folder
        _ = try await offload { try ChildProcess.run("sh", ["-ec", "cd \(folder)\n" + script]) }
        try site.publish("1.0.0")
    }
}

/// The end of one session. Confined to the loop's thread.
final class Ending: @unchecked Sendable {
    private(set) var exited: MonotonicTime?
    private(set) var hasEnded = false
    private var exitWaiter: CheckedContinuation<MonotonicTime, Never>?
    private var endWaiter: CheckedContinuation<Void, Never>?

    func received(_ event: ProcessSession.Event) {
        switch event {
        case .exited:
            let now = MonotonicTime.now
            exited = now
            exitWaiter?.resume(returning: now)
            exitWaiter = nil
        case .ended:
            hasEnded = true
            endWaiter?.resume()
            endWaiter = nil
        }
    }

    func exitTime() async -> MonotonicTime {
        if let exited { return exited }
        return await withCheckedContinuation { exitWaiter = $0 }
    }

    func wait() async {
        guard !hasEnded else { return }
        await withCheckedContinuation { endWaiter = $0 }
    }
}
