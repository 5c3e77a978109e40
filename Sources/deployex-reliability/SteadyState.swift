internal import Deployment
internal import Glibc
internal import TestKit
internal import Transport

/// A deployex that has nothing to do but to watch: its memory, its processor time, and how soon it
/// notices an instance that is frozen.
enum SteadyState {
    static func measure(_ options: MeasureOptions, on loop: EventLoop) async throws -> [Figure] {
        let effort = options.effort
        let site = try Site(options, instances: effort.manyInstances, on: loop)
        return try await attempt {
            try site.place("0.1.2")
            try site.publish("0.1.2")
            var figures = try await with(effort.fewInstances, site) { manager in
                [
                    await memory(of: manager, effort.fewInstances, on: loop),
                    try await freezes(manager, effort, on: loop),
                ]
            }
            figures += try await with(effort.idleInstances, site) { manager in
                [await idleTime(of: manager, effort, on: loop)]
            }
            figures += try await with(effort.manyInstances, site, isLast: true) { manager in
                [await memory(of: manager, effort.manyInstances, on: loop)]
            }
            return figures
        } thenAlways: {
            await site.end()
        }
    }

    /// Starts a deployex with so many instances, those of the one before among them.
    private static func with(
        _ count: Int, _ site: Site, isLast: Bool = false,
        _ body: (Manager) async throws -> [Figure]
    ) async throws -> [Figure] {
        let manager = try Manager(site, replicas: count)
        return try await attempt {
            try await manager.wait("\(count) instances", for: .seconds(60 + count * 15)) {
                $0.instances.count == count && $0.allRun("0.1.2")
            }
            let figures = try await body(manager)
            if isLast { try await manager.stopAll() }
            return figures
        } thenAlways: {
            await manager.kill()
        }
    }

    // MARK: Memory

    /// Ten seconds after the last deployment. Source: proc_pid_smaps_rollup(5).
    private static func memory(
        of manager: Manager, _ count: Int, on loop: EventLoop
    ) async -> Figure {
        await loop.sleep(for: .seconds(10))
        let lines = Files.text("/proc/\(manager.process.pid)/smaps_rollup")
            .split(separator: "\n")
        let megabytes = ["Rss:", "Pss:"].map { name in
            let line = lines.first { $0.hasPrefix(name) } ?? ""
            return decimal(Double(line.filter(\.isNumber)).map { $0 / 1024 } ?? 0, digits: 1)
        }
        return Figure(
            "resident memory of deployex with \(count) instances",
            "RSS \(megabytes[0]) MiB, PSS \(megabytes[1]) MiB")
    }

    // MARK: Processor time

    private static func idleTime(
        of manager: Manager, _ effort: Effort, on loop: EventLoop
    ) async -> Figure {
        let before = ticks(manager)
        let begin = MonotonicTime.now
        await loop.sleep(for: effort.idleTime)
        let elapsed = MonotonicTime.now - begin
        let used = Double(ticks(manager) - before) / Double(sysconf(Int32(_SC_CLK_TCK)))
        let share = used / elapsed.inSeconds * 100
        return Figure(
            "processor time of an idle deployex with \(effort.idleInstances) instances",
            "\(decimal(share, digits: 2)) % of a core "
                + "(\(decimal(used, digits: 2)) s in \(Figure.text(elapsed)))",
            target: "< 0.5 %", isMet: share < 0.5)
    }

    /// User and system time of the process, without what it has waited for.
    private static func ticks(_ manager: Manager) -> Int {
        let fields = ProcFolder.fields(manager.process.pid)
        guard fields.count > 13 else { return 0 }
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    // MARK: Frozen instances

    /// From SIGSTOP at a random moment until deployex's log says that the instance does not respond.
    private static func freezes(
        _ manager: Manager, _ effort: Effort, on loop: EventLoop
    ) async throws -> Figure {
        var times: [Duration] = []
        for trial in 0..<effort.freezes {
            let number = trial % effort.fewInstances + 1
            await loop.sleep(for: .milliseconds(Int.random(in: 0...1000)))
            times.append(
                try await manager.time(
                    of: SIGSTOP, to: number, until: "Instance: \(number) does not respond",
                    within: .seconds(10)))
            _ = try await manager.time(
                of: SIGCONT, to: number, until: "Instance: \(number) responds again",
                within: .seconds(10))
        }
        let longest = times.max() ?? .zero
        return Figure(
            "SIGSTOP to detection",
            "p50 \(Figure.text(times.sorted()[times.count / 2])), max \(Figure.text(longest)) of "
                + "\(times.count)", target: "< 2 s", isMet: longest < .seconds(2))
    }
}
