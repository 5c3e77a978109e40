internal import Deployment
internal import Glibc
internal import TestKit
internal import Transport

/// Kills deployex at random moments while it deploys one version after the other to instances under
/// load, and starts it again at once.
enum KillRun {
    private static let replicas = 3
    /// Small, so that logs are rotated all the time; and no piece is ever dropped.
    private static let variables = [
        "DEPLOYEX_LOG_MAX_BYTES": "65536", "DEPLOYEX_LOG_FILES": "1000",
        "DEPLOYEX_POLL_INTERVAL": "0.5",
    ]

    static func measure(_ options: MeasureOptions, on loop: EventLoop) async throws -> [Figure] {
        let site = try Site(options, instances: replicas, on: loop)
        let watch = ProcessWatch(site, replicas: replicas)
        let loads = (1...replicas).map { Load(instance: $0, of: site) }
        var areAllMet = false
        return try await attempt {
            let figures = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: loop) { await watch.run() }
                for load in loads {
                    group.addTask(executorPreference: loop) { await load.run() }
                }
                let figures = try await attempt {
                    try await run(site, watch, loads)
                } thenAlways: {
                    await stop(watch, loads)
                }
                try await group.waitForAll()
                return figures
            }
            areAllMet = figures.allSatisfy { $0.isMet ?? true }
            return figures
        } thenAlways: {
            guard areAllMet else {
                return Reliability.note("what has happened can be read in \(site.folder)")
            }
            await site.end()
        }
    }

    private static func stop(_ watch: ProcessWatch, _ loads: [Load]) async {
        await watch.stop()
        for load in loads { await load.stop() }
    }

    private static func run(
        _ site: Site, _ watch: ProcessWatch, _ loads: [Load]
    ) async throws -> [Figure] {
        for version in Itinerary.versions { try site.place(version) }
        let options = site.options
        var itinerary = Itinerary()
        try site.publish(itinerary.version)
        var manager = try start(site)
        try await manager.wait("the first deployment", for: .seconds(60)) {
            $0.allRun(itinerary.version)
        }
        var random = SeededRandom(seed: options.seed)
        Reliability.note("seed \(options.seed)")
        let begin = MonotonicTime.now
        var adoptions: [Duration] = []
        var moments: [Moment: Int] = [:]
        var ownEnds = 0
        for number in 1...options.effort.kills {
            let life = Life(&random)
            // The first has nothing to adopt; one that lives no longer than that takes is no sample.
            if number > 1, !life.isShort {
                let time = try await adoption(manager, site, watch)
                adoptions.append(time)
                if time >= .seconds(1) {
                    Reliability.note("adopted in \(Figure.text(time)):\n" + manager.log.tail(20))
                }
            }
            try await live(life, manager, site, &itinerary)
            moments[Moment(manager.log.text), default: 0] += 1
            if await !manager.kill() {
                ownEnds += 1
                Reliability.note("deployex has ended by itself:\n" + manager.log.tail(60))
            }
            manager = try start(site)
            if number.isMultiple(of: 50) {
                Reliability.note("\(number) kills, \(itinerary.stepCount) deployments")
            }
        }
        let time = MonotonicTime.now - begin
        let last = itinerary.version
        try await manager.wait("\(last) to run everywhere after the last kill", for: .seconds(120))
        {
            $0.allRun(last)
        }
        let status = await manager.status()
        await stop(watch, loads)
        try await manager.stopAll()
        let summary = Moment.allCases.compactMap { moment in
            moments[moment].map { "\($0) \(moment.rawValue)" }
        }
        for text in itinerary.wrongRollbacks { Reliability.note("rolled back \(text)") }
        let crashes = status?.instances.compactMap(\.crashRestarts).reduce(0, +) ?? 0
        return try await figures(site, watch, loads, crashes: crashes) + [
            Figure(
                none: "ends of deployex that nobody asked for", ownEnds,
                of: "\(options.effort.kills) lives"),
            Figure("adoption after kill -9", adoptions, p99Below: .seconds(1)),
            Figure(
                "kills",
                "\(options.effort.kills) in \(Figure.text(time)), seed \(options.seed): "
                    + summary.joined(separator: ", ")),
            Figure(
                none: "rollbacks to another version than the one before",
                itinerary.wrongRollbacks.count, of: "\(itinerary.stepCount) deployments"),
            Figure("deployments completed meanwhile", "\(itinerary.stepCount)"),
        ]
    }

    private static func figures(
        _ site: Site, _ watch: ProcessWatch, _ loads: [Load], crashes: Int
    ) async throws -> [Figure] {
        var lines = Load.Lines()
        let folder = "\(site.folder)/log/\(site.application)"
        var clashes = 0
        for (index, load) in loads.enumerated() {
            let name = "\(site.application)-\(index + 1)"
            let found = await load.compare(with: folder, name: name)
            lines.answered += found.answered
            lines.lost += found.lost
            lines.doubled += found.doubled
            for file in Files.names(folder) where file.hasPrefix("\(name)-std") {
                let text = Files.text("\(folder)/\(file)")
                if text.contains("eaddrinuse") || text.contains("seems to be in use") {
                    clashes += 1
                }
            }
        }
        let log = Files.text(site.logPath)
        let told = log.split(separator: "\n").filter {
            $0.contains(" crashed (") || $0.contains("rebooted by itself")
        }
        let unexplained = await watch.unexplained
        let doubles = await watch.doubles
        for text in unexplained + doubles + told.map(String.init) { Reliability.note(text) }
        let starts = await watch.starts
        let same = await watch.startsOfTheSame
        return [
            Figure(
                none: "application restarts that no decision explains",
                max(unexplained.count, told.count, crashes), of: "\(starts) starts"),
            Figure(none: "double starts", doubles.count + clashes, of: "\(starts) starts"),
            Figure(none: "lost log lines", lines.lost, of: "\(lines.answered)"),
            Figure(none: "doubled log lines", lines.doubled, of: "\(lines.answered)"),
            Figure("starts of the version that had run before", "\(same) of \(starts)"),
        ]
    }

    // MARK: One life of deployex

    private static func start(_ site: Site) throws -> Manager {
        try Manager(site, replicas: replicas, variables: variables)
    }

    /// How long a deployex lives. In terms of what it has done rather than of time alone, so that kills
    /// hit everything on a slow machine too, and deployments are completed.
    private enum Life {
        /// It hardly begins.
        case short(Duration)
        /// Until it has told of so many steps, and a moment more.
        case steps(Int, then: Duration)

        private static let limit = Duration.seconds(5)

        init(_ random: inout SeededRandom) {
            let share = Double.random(in: 0..<1, using: &random)
            if Int.random(in: 0..<10, using: &random) < 3 {
                self = .short(.milliseconds(120) * share)
            } else {
                let count = Int.random(in: 0...10, using: &random)
                self = .steps(count, then: .milliseconds(200) * share)
            }
        }

        var isShort: Bool {
            if case .short = self { true } else { false }
        }

        /// When it is to end, if that is known by now.
        func end(of manager: Manager) -> MonotonicTime? {
            switch self {
            case .short(let duration): manager.begin + duration
            case .steps(let count, let pause):
                if Moment.steps(in: manager.log.text) >= count {
                    .now + pause
                } else if MonotonicTime.now - manager.begin >= Self.limit {
                    .now
                } else {
                    nil
                }
            }
        }
    }

    /// Follows the itinerary until the life is over.
    private static func live(
        _ life: Life, _ manager: Manager, _ site: Site, _ itinerary: inout Itinerary
    ) async throws {
        var nextStatus = MonotonicTime.now
        while true {
            if let end = life.end(of: manager) {
                return await site.loop.sleep(for: max(end - .now, .zero))
            }
            if MonotonicTime.now >= nextStatus, let status = await manager.status() {
                try await itinerary.advance(status, manager, site)
                nextStatus = .now + .milliseconds(60)
            }
            await site.loop.sleep(for: .milliseconds(4))
        }
    }

    /// From the start of deployex until its status shows every instance that has lived through it, with
    /// the same pid.
    private static func adoption(
        _ manager: Manager, _ site: Site, _ watch: ProcessWatch
    ) async throws -> Duration {
        let before = await watch.running
        while true {
            if let status = await manager.status() {
                let time = MonotonicTime.now - manager.begin
                let after = await watch.running
                let isWhole = before.intersection(after).allSatisfy { process in
                    status.instances.contains {
                        $0.number == process.instance && $0.pid == Int(process.pid)
                    }
                }
                if isWhole { return time }
            }
            guard !manager.process.hasEnded, MonotonicTime.now - manager.begin < .seconds(20)
            else {
                throw TestFailure("not adopted within 20 s:\n" + manager.log.tail(20))
            }
            await site.loop.sleep(for: .milliseconds(2))
        }
    }
}
