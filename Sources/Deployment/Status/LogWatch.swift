internal import Glibc
package import Transport

/// Tells the ``ObservationFeed`` when something is written to a log that somebody waits for. It
/// does so once for each ``watch(_:)``, so a log that nobody follows costs nothing.
package actor LogWatch {
    package nonisolated let loop: EventLoop
    private let feed: ObservationFeed
    private var inotify: FileDescriptor?
    private var topics: [Int32: ObservationTopic] = [:]
    private var buffer = [UInt8](repeating: 0, count: 4 << 10)

    /// Writes within this time are reported together, so an observer is not told of every line.
    private static let debounce = Duration.milliseconds(50)

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(feed: ObservationFeed) {
        self.feed = feed
        loop = feed.loop
    }

    /// Reports the next write to the file from now on. The caller looks at the file after this
    /// call.
    /// - Returns: `false` if the file is missing, or the system watches no more files. Then nothing
    ///   is reported.
    package func watch(_ path: String) -> Bool {
        guard let inotify = opened() else { return false }
        let mask = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF
        // ONESHOT: the kernel forgets the watch with its first event.
        let flags = UInt32(bitPattern: mask) | UInt32(IN_ONESHOT) | UInt32(IN_DONT_FOLLOW)
        let watch = inotify_add_watch(inotify, path, flags)
        guard watch >= 0 else { return false }
        topics[watch] = .log(path: path)
        return true
    }

    /// Watches several logs. The caller looks at them after this call, and then waits for
    /// ``change(of:by:within:)``.
    package func watch(_ paths: [String]) async -> WatchedLogs {
        let topics = Set(paths.map { ObservationTopic.log(path: $0) })
        let seen = await feed.revision(of: topics)
        var areAll = true
        for path in paths where !watch(path) { areAll = false }
        return WatchedLogs(topics: topics, seen: seen, areAll: areAll)
    }

    /// Returns when one of the logs has been written to since it is watched, or after `limit`. Logs
    /// that cannot be watched are to be looked at again soon.
    package func change(
        of logs: WatchedLogs, by observer: String, within limit: Duration
    ) async throws(ObservationFeed.Refusal) {
        _ = try await feed.change(
            of: logs.topics, after: logs.seen, by: observer,
            within: logs.areAll ? limit : min(limit, Self.glance))
    }

    /// When a log that cannot be watched is looked at again.
    private static let glance = Duration.milliseconds(200)

    private func opened() -> Int32? {
        if let inotify = inotify?.raw { return inotify }
        let raw = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard raw >= 0 else { return nil }
        inotify = FileDescriptor(owning: raw)
        do throws(SystemError) {
            _ = try loop.watch(raw, for: .readable) { _ in
                self.assumeIsolated { $0.receive() }
            }
        } catch {
            inotify = nil
        }
        return inotify?.raw
    }

    private func receive() {
        var changed: Set<ObservationTopic> = []
        while let inotify = inotify?.raw {
            let count = read(inotify, &buffer, buffer.count)
            guard count > 0 else { break }
            for event in InotifyEvent.events(in: buffer[..<count]) {
                // If events were lost, any of the files may have been written to.
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                    changed.formUnion(topics.values)
                    topics = [:]
                } else if let topic = topics.removeValue(forKey: event.watch) {
                    changed.insert(topic)
                }
            }
        }
        guard !changed.isEmpty else { return }
        loop.schedule(after: Self.debounce) { [feed] in
            feed.assumeIsolated { feed in for topic in changed { feed.publish(topic) } }
        }
    }
}

/// Logs that are watched since a moment.
package struct WatchedLogs: Sendable {
    fileprivate var topics: Set<ObservationTopic>
    fileprivate var seen: Int
    /// Whether every one of them can be watched.
    fileprivate var areAll: Bool
}
