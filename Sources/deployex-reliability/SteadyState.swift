internal import Glibc
internal import TestKit
internal import Transport

/// A deployex that has nothing to do but to watch: its memory, its processor time, and how soon it
/// notices an instance that is frozen.
struct SteadyState {
    private let options: MeasureOptions
    private let loop: EventLoop

    init(_ options: MeasureOptions, on loop: EventLoop) {
        self.options = options
        self.loop = loop
    }

    func measure() async throws -> [Figure] {
        let effort = options.effort
        let site = try Site(options, instances: effort.manyInstances, on: loop)
        let result: Result<[Figure], any Error>
        do {
            try site.place("0.1.2")
            try site.publish("0.1.2")
            var figures = try await with(effort.fewInstances, site) { manager in
                let memory = try await memory(of: manager, effort.fewInstances)
                return [memory, try await freezes(manager)]
            }
            figures += try await with(effort.idleInstances, site) { manager in
                [try await idleTime(of: manager)]
            }
            figures += try await with(effort.manyInstances, site, isLast: true) { manager in
                [try await memory(of: manager, effort.manyInstances)]
            }
            result = .success(figures)
        } catch {
            result = .failure(error)
        }
        await site.end()
        return try result.get()
    }

    /// Starts a deployex with so many instances, those of the one before among them.
    private func with(
        _ count: Int, _ site: Site, isLast: Bool = false,
        _ body: (Manager) async throws -> [Figure]
    ) async throws -> [Figure] {
        let manager = try Manager(site, replicas: count)
        do {
            try await manager.wait("\(count) instances", for: .seconds(60 + count * 15)) {
                $0.instances.count == count && $0.allRun("0.1.2")
            }
            let figures = try await body(manager)
            if isLast { try await manager.stopAll() } else { await manager.kill() }
            return figures
        } catch {
            await manager.kill()
            throw error
        }
    }

    // MARK: Memory

    /// Ten seconds after the last deployment. Source: proc_pid_smaps_rollup(5).
    private func memory(of manager: Manager, _ count: Int) async throws -> Figure {
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

    private func idleTime(of manager: Manager) async throws -> Figure {
        let effort = options.effort
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
    private func ticks(_ manager: Manager) -> Int {
        let fields = ProcFolder.fields(manager.process.pid)
        guard fields.count > 13 else { return 0 }
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    // MARK: Frozen instances

    /// From SIGSTOP at a random moment until deployex's log says that the instance does not respond.
    private func freezes(_ manager: Manager) async throws -> Figure {
        var times: [Duration] = []
        for trial in 0..<options.effort.freezes {
            let number = trial % options.effort.fewInstances + 1
            await loop.sleep(for: .milliseconds(Int.random(in: 0...1000)))
            guard let pid = await manager.status()?.instances[number - 1].pid else {
                throw TestFailure("instance \(number) has no process")
            }
            let log = LogFollower(manager.log.path)
            let begin = MonotonicTime.now
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            try await log.wait(
                for: "Instance: \(number) does not respond", within: .seconds(10), on: loop)
            times.append(.now - begin)
            kill(pid, SIGCONT)
            try await log.wait(
                for: "Instance: \(number) responds again", within: .seconds(10), on: loop)
        }
        let longest = times.max() ?? .zero
        return Figure(
            "SIGSTOP to detection",
            "p50 \(Figure.text(times.sorted()[times.count / 2])), max \(Figure.text(longest)) of "
                + "\(times.count)", target: "< 2 s", isMet: longest < .seconds(2))
    }
}
