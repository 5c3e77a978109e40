internal import Deployment
internal import Glibc
internal import Supervisor
internal import TestKit
internal import Transport

/// How long after the end of a process it is known.
enum Exits {
    static func measure(_ options: MeasureOptions, on loop: EventLoop) async throws -> [Figure] {
        let session = try await sessionTimes(options.effort.exits, on: loop)
        let site = try Site(options, application: "sleeper", instances: instanceCount, on: loop)
        let told = try await attempt {
            try await deployexTimes(site)
        } thenAlways: {
            await site.end()
        }
        return [
            Figure(
                "exit to detection, ProcessSession's event", session, p99Below: .milliseconds(50)),
            Figure(
                "exit to detection, deployex's log line", told, p99Below: .milliseconds(50)),
        ]
    }

    // MARK: The session alone

    /// SIGKILL of the leader of a `ProcessSession` until its event arrives.
    private static func sessionTimes(
        _ count: Int, on loop: EventLoop
    ) async throws -> [Duration] {
        let sleep = try ThisHost.find("sleep")
        var times: [Duration] = []
        for _ in 0..<count {
            let (events, sink) = AsyncStream.makeStream(
                of: (ProcessSession.Event, MonotonicTime).self)
            let session = try await ProcessSession.start(
                Program(
                    path: sleep, arguments: ["1000"], environment: [:], folder: "/",
                    stdoutPath: "/dev/null", stderrPath: "/dev/null"),
                on: loop, onEvent: { sink.yield(($0, .now)) })
            let begin = MonotonicTime.now
            kill(session.identity.pid, SIGKILL)
            for await (event, time) in events {
                guard case .exited = event else { break }
                times.append(time - begin)
            }
        }
        return times
    }

    // MARK: All of deployex

    /// Enough that none is killed again before it has been well for long.
    private static let instanceCount = 100

    /// SIGKILL of an instance until the line about it stands in deployex's log. The release is a script
    /// that becomes `sleep`, without the distribution.
    private static func deployexTimes(_ site: Site) async throws -> [Duration] {
        let exits = site.options.effort.exits
        let count = min(instanceCount, exits)
        try await placeSleeper(site)
        let manager = try Manager(
            site, replicas: count,
            variables: ["DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.05"])
        return try await attempt {
            try await manager.wait("\(count) sleepers", for: .seconds(120)) {
                $0.instances.count == count && $0.allRun("1.0.0")
            }
            var times: [Duration] = []
            for _ in 0..<(exits + count - 1) / count {
                for number in 1...count {
                    times.append(
                        try await manager.time(
                            of: SIGKILL, to: number, until: "instance: \(number) crashed",
                            within: .seconds(5)))
                }
                try await manager.wait("\(count) sleepers again", for: .seconds(120)) {
                    $0.allRun("1.0.0")
                }
            }
            try await manager.stopAll()
            return times
        } thenAlways: {
            await manager.kill()
        }
    }

    private static func placeSleeper(_ site: Site) async throws {
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
