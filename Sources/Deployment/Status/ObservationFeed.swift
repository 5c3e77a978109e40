package import Supervisor
package import Transport

/// Reports each change once to all observers who wait for it.
///
/// Each change of a topic gives it a new revision. An observer says which revision it has seen. It
/// is answered at once if there is a newer one, or else at the next change, and then looks at the
/// newest state itself. So a slow observer skips the states in between, and no queue grows for it.
package actor ObservationFeed {
    /// Why an observer cannot wait.
    package enum Refusal: Error, Equatable {
        /// Too many observers wait already.
        case full
        /// deployex is ending.
        case closed
    }

    package nonisolated let loop: EventLoop
    private var register: ObservationRegister
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    private var isClosed = false
    /// The newest state of each application that has one.
    private var snapshots: [String: ApplicationSnapshot] = [:]

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(loop: EventLoop, limits: ObservationRegister.Limits = .init()) {
        self.loop = loop
        register = ObservationRegister(limits: limits)
    }

    // MARK: Publishing

    /// Takes an application's state after an event. It may be the same as before.
    package func publish(_ snapshot: ApplicationSnapshot) {
        guard snapshots[snapshot.application] != snapshot else { return }
        snapshots[snapshot.application] = snapshot
        publish(.application(snapshot.application))
    }

    package func publish(_ topic: ObservationTopic) {
        for id in register.changed(topic) { wake(id) }
    }

    /// Ends all reports. Whoever waits learns that.
    package func close() {
        isClosed = true
        for id in Array(waiting.keys) { wake(id) }
    }

    // MARK: Observing

    /// The newest state of an application; `nil` if nothing is known of it yet.
    package func snapshot(of application: String) -> ApplicationSnapshot? {
        snapshots[application]
    }

    /// The revision of all `topics` together, to be compared with a later one.
    package func revision(of topics: Set<ObservationTopic>) -> Int { register.revision(of: topics) }

    /// How the names of observers begin that are topics of the dashboard's event streams.
    package static let pagePrefix = "event stream "

    /// How many observers wait.
    var observerCount: Int { waiting.count }

    /// Whether somebody waits for this topic.
    func isObserved(_ topic: ObservationTopic) -> Bool { register.isObserved(topic) }

    /// Returns the revision of `topics` as soon as it differs from `seen`. After `limit`, or when
    /// the task is cancelled, it returns `seen` itself.
    /// - Parameter observer: who waits; the number of waiting calls is limited.
    package func change(
        of topics: Set<ObservationTopic>, after seen: Int, by observer: String,
        within limit: Duration
    ) async throws(Refusal) -> Int {
        guard !isClosed else { throw .closed }
        guard revision(of: topics) == seen, limit > .zero else { return revision(of: topics) }
        guard let id = register.enter(topics, observer: observer) else { throw .full }
        let timer = loop.schedule(after: limit) { self.assumeIsolated { $0.wake(id) } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Something else may have run, and woken it, since it has entered.
                guard register.hasEntered(id) else { return continuation.resume() }
                waiting[id] = continuation
            }
        } onCancel: {
            Task { await wake(id) }
        }
        timer.cancel()
        guard !isClosed else { throw .closed }
        return revision(of: topics)
    }

    /// Ends the waiting of an observer that has gone.
    package func forget(_ observer: String) {
        for id in register.entries(of: observer) { wake(id) }
    }

    private func wake(_ id: Int) {
        register.leave(id)
        waiting.removeValue(forKey: id)?.resume()
    }
}

/// What can be observed.
package enum ObservationTopic: Hashable, Sendable {
    /// The state of an application: its target, its instances, and the progress of a rollout.
    case application(String)
    /// What the instances use: see ``UsageSampler``.
    case usage
    /// This host: see ``HostSampler``.
    case host
    /// The node of an instance: see ``NodeSampler``.
    case node(InstanceName)
    /// What is written to the log file at this path.
    case log(path: String)
}

/// Keeps who waits for which topics, and when each topic changed. It does no I/O and reads no
/// clock.
package struct ObservationRegister: Equatable, Sendable {
    package struct Limits: Equatable, Sendable {
        package var count = 256
        package var countOfObserver = 32

        package init() {}
    }

    private struct Entry: Equatable {
        var topics: Set<ObservationTopic>
        var observer: String
    }

    private let limits: Limits
    private var revision = 0
    private var revisions: [ObservationTopic: Int] = [:]
    private var entries: [Int: Entry] = [:]
    private var nextID = 0

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// The latest change of any of `topics`; 0 if there was none.
    func revision(of topics: Set<ObservationTopic>) -> Int {
        topics.map { revisions[$0] ?? 0 }.max() ?? 0
    }

    /// - Returns: those who wait for it. They stay until they leave.
    mutating func changed(_ topic: ObservationTopic) -> [Int] {
        revision += 1
        revisions[topic] = revision
        return entries.filter { $0.value.topics.contains(topic) }.map(\.key).sorted()
    }

    /// - Returns: `nil` if too many wait already.
    mutating func enter(_ topics: Set<ObservationTopic>, observer: String) -> Int? {
        // Pages do not keep commands from waiting, nor what deployex itself waits for.
        let isPage = observer.hasPrefix(ObservationFeed.pagePrefix)
        guard entries.count < (isPage ? limits.count * 3 / 4 : limits.count),
            entries(of: observer).count < limits.countOfObserver
        else { return nil }
        nextID += 1
        entries[nextID] = Entry(topics: topics, observer: observer)
        return nextID
    }

    func entries(of observer: String) -> [Int] {
        entries.filter { $0.value.observer == observer }.map(\.key)
    }

    func isObserved(_ topic: ObservationTopic) -> Bool {
        entries.values.contains { $0.topics.contains(topic) }
    }

    func hasEntered(_ id: Int) -> Bool { entries[id] != nil }

    mutating func leave(_ id: Int) {
        entries[id] = nil
    }
}
