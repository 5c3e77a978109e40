internal import Glibc
package import Transport

/// Keeps the instances' logs below their limit, from one event loop. Blocking work runs elsewhere.
///
/// ```swift
/// let rotator = LogRotator(logs: logs, limits: limits, loop: loop) { notice in … }
/// await rotator.setInstances(names)
/// await rotator.start()
/// await rotator.prepareForStart(name)  // before each start of an instance
/// await rotator.ended(name)  // when nothing of it runs any more
/// await rotator.stop()
/// ```
/// With ``LogLimits/off`` it never touches a file.
package actor LogRotator {
    private nonisolated let loop: EventLoop
    private let logs: LogFiles
    private let limits: LogLimits
    private let onNotice: @Sendable (LogRotationPolicy.Notice) -> Void
    private var policy: LogRotationPolicy
    private let written: WrittenLogs
    private var instances: [InstanceName] = []
    /// The instances of which nothing runs: nobody writes to their logs.
    private var endedInstances: Set<InstanceName> = []
    private var looking: Task<Void, Never>?
    private var isStopping = false
    /// Whether the output of some instance is being copied into a log that was made anew.
    private var isCopying = false
    /// The last task in the queue: we must not work on one log twice at the same time.
    private var last: Task<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameter onNotice: called on the loop's thread.
    package init(
        logs: LogFiles, limits: LogLimits, loop: EventLoop,
        onNotice: @escaping @Sendable (LogRotationPolicy.Notice) -> Void
    ) {
        self.logs = logs
        self.limits = limits
        self.loop = loop
        self.onNotice = onNotice
        policy = LogRotationPolicy(limits: limits)
        written = WrittenLogs(
            owners: logs.owners,
            keptByteCount: Int64(limits.keptPieceCount + 1) * limits.fileByteCount)
    }

    /// From now on, looks after the logs of these instances.
    package func setInstances(_ names: [InstanceName]) {
        instances = names
    }

    /// Begins looking, at once. What a killed run left unfinished is completed first.
    package func start() {
        guard !limits.isOff, looking == nil, !isStopping else { return }
        // Cancelled by stop().
        looking = Task(executorPreference: loop) { await self.keepLooking() }
    }

    private func keepLooking() async {
        await recover()
        while !isStopping {
            await look()
            await loop.sleep(for: untilNextLook)
        }
    }

    private var untilNextLook: Duration {
        let interval = policy.untilNextLook
        return isCopying ? min(interval, LogRotationPolicy.intervals.lowerBound) : interval
    }

    /// Ends looking, for good. Returns when no file is being worked on any more.
    package func stop() async {
        isStopping = true
        looking?.cancel()
        await looking?.value
        looking = nil
        await last?.value
    }

    /// Rotates logs by name if they are above the limit or could not be shortened. Await it while
    /// nothing of the instance runs. A failure becomes a notice and holds nothing up.
    package func prepareForStart(_ name: InstanceName) async {
        guard !limits.isOff else { return }
        await inOrder { rotator in
            rotator.endedInstances.remove(name)
            for stream in LogFiles.Stream.allCases {
                let path = rotator.logs.path(name, stream)
                rotator.policy.restarted(path)
                await rotator.finish(path)
                await rotator.attempt(path) { rotation throws(FileSystemError) in
                    try rotation.rotateByRename()
                    return nil
                }
            }
        }
    }

    /// Lets go of the logs of an instance of which nothing runs, until its next start. What it has
    /// written to a deleted one is copied before.
    package func ended(_ name: InstanceName) async {
        guard !limits.isOff else { return }
        await inOrder { rotator in
            rotator.endedInstances.insert(name)
            for stream in LogFiles.Stream.allCases {
                await rotator.finish(rotator.logs.path(name, stream))
            }
        }
    }

    /// Copies the rest of a log if it was deleted, and lets go of it.
    private func finish(_ path: String) async {
        await attempt(path) { [written] _ throws(FileSystemError) in
            try written.finish(path)
            return nil
        }
    }

    /// Looks once, and rotates the logs that are due.
    func look() async {
        await inOrder { rotator in
            let (paths, owners) = (rotator.paths, rotator.logs.owners)
            await rotator.remakeDeleted()
            let sizes = await offload { Self.sizes(paths, owners) }
            for path in rotator.policy.measured(sizes, now: .now) {
                if rotator.isStopping { return }
                await rotator.attempt(path) { rotation throws(FileSystemError) in
                    try rotation.rotate() == nil ? .unsupported : .rotated
                }
            }
            let (instances, written) = (rotator.writtenPaths, rotator.written)
            rotator.isCopying = await offload {
                for path in instances { written.measure(path) }
                return written.isCopying
            }
        }
    }

    /// Makes the logs anew that somebody has deleted while their instances write to them.
    private func remakeDeleted() async {
        let written = written
        for path in writtenPaths {
            let finding: WrittenLogs.Finding
            do throws(FileSystemError) {
                finding = try await offload { () throws(FileSystemError) in
                    try written.look(at: path)
                }
            } catch {
                // The same keeps the log from being rotated, and is reported there.
                continue
            }
            let text = "\(path) was deleted while its instance writes to it"
            switch finding {
            case .nothing: break
            case .remade:
                onNotice(
                    .warning(
                        "\(text): it is made anew, and deployex copies into it what the instance "
                            + "prints, until the instance starts the next time"))
            case .lost(let error):
                onNotice(
                    .warning(
                        "\(text), and cannot be made anew: \(error): deployex tries it again until "
                            + "it works; what the instance prints is lost if it ends before"))
            }
        }
    }

    private func recover() async {
        await inOrder { rotator in
            for path in rotator.paths {
                await rotator.attempt(path) { rotation throws(FileSystemError) in
                    try rotation.recover()
                    return nil
                }
            }
        }
    }

    private func inOrder(
        _ body: @escaping @Sendable (isolated LogRotator) async -> Void
    ) async {
        let before = last
        let task = Task(executorPreference: loop) {
            await before?.value
            await body(self)
        }
        last = task
        await task.value
    }

    /// Does something to one log. A failure becomes a notice, and the result may be one, too.
    private func attempt(
        _ path: String,
        _ body:
            @escaping @Sendable (LogRotation) throws(FileSystemError)
            -> LogRotationPolicy.Outcome?
    ) async {
        let rotation = LogRotation(path: path, limits: limits, owners: logs.owners)
        let outcome: LogRotationPolicy.Outcome?
        do throws(FileSystemError) {
            outcome = try await offload { () throws(FileSystemError) in try body(rotation) }
        } catch {
            outcome = .failed("\(error)")
        }
        if let outcome, let notice = policy.finished(path, outcome, now: .now) { onNotice(notice) }
    }

    private var paths: [String] {
        instancePaths + Set(instances.map(\.app)).sorted().map { logs.preCommandsPath(app: $0) }
    }

    private var instancePaths: [String] { instances.flatMap { paths(of: $0) } }

    /// The logs that instances write to.
    private var writtenPaths: [String] {
        instances.filter { !endedInstances.contains($0) }.flatMap { paths(of: $0) }
    }

    private func paths(of name: InstanceName) -> [String] {
        LogFiles.Stream.allCases.map { logs.path(name, $0) }
    }

    // MARK: Elsewhere

    private static func sizes(_ paths: [String], _ owners: TrustedUsers) -> [String: Int64] {
        var sizes: [String: Int64] = [:]
        for path in paths {
            // A log that cannot be looked at now is looked at again soon.
            do throws(FileSystemError) {
                if let log = try OpenedLog(path, owners: owners) {
                    sizes[path] = log.contentByteCount
                }
            } catch {}
        }
        return sizes
    }
}
