package import Supervisor
package import Transport

/// What changes, told once to all who wait for it.
///
/// Each change of a topic gives it a new revision. An observer says which revision it has seen. It
/// is answered at once where there is another one by now, else at the next change, and then looks
/// at the newest state itself. So a slow observer skips what lies between, and no queue grows for
/// it.
package actor ObservationFeed {
    /// Why an observer cannot wait.
    package enum Refusal: Error, Equatable {
        /// Too many wait already.
        case full
        /// deployex ends.
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

    /// An application's state after an event, which may be the one before.
    package func publish(_ snapshot: ApplicationSnapshot) {
        guard snapshots[snapshot.application] != snapshot else { return }
        snapshots[snapshot.application] = snapshot
        publish(.application(snapshot.application))
    }

    package func publish(_ topic: ObservationTopic) {
        for id in register.changed(topic) { wake(id) }
    }

    /// Nothing is told any more: whoever waits learns that.
    package func close() {
        isClosed = true
        for id in Array(waiting.keys) { wake(id) }
    }

    // MARK: Observing

    /// `nil` for an application of which nothing is known yet.
    package func snapshot(of application: String) -> ApplicationSnapshot? {
        snapshots[application]
    }

    /// The revision that stands for all of `topics`, to be compared with a later one.
    package func revision(of topics: Set<ObservationTopic>) -> Int { register.revision(of: topics) }

    /// How many wait.
    var observerCount: Int { waiting.count }

    /// Returns the revision of `topics` as soon as it is another one than `seen`; the same one
    /// after `limit`, or when the task is cancelled.
    /// - Parameter observer: of whom only so many may wait at once.
    package func change(
        of topics: Set<ObservationTopic>, after seen: Int, by observer: String,
        within limit: Duration
    ) async throws(Refusal) -> Int {
        guard !isClosed else { throw .closed }
        guard revision(of: topics) == seen, limit > .zero else { return revision(of: topics) }
        guard let id = register.enter(topics, observer: observer) else { throw .full }
        let timer = loop.schedule(after: limit) { self.assumeIsolated { $0.wake(id) } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiting[id] = $0 }
        } onCancel: {
            Task { await wake(id) }
        }
        timer.cancel()
        guard !isClosed else { throw .closed }
        return revision(of: topics)
    }

    /// An observer has gone: it waits for nothing any more.
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
    /// The state of an application: what is to run, what runs, how a rollout goes on.
    case application(String)
    /// What an instance prints.
    case log(InstanceName, LogFiles.Stream)
}

/// Who waits for what, and what has changed when. It does no I/O and reads no clock.
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

    /// The latest change of any of `topics`; 0 where there was none.
    func revision(of topics: Set<ObservationTopic>) -> Int {
        topics.map { revisions[$0] ?? 0 }.max() ?? 0
    }

    /// - Returns: those who wait for it. They stay until they leave.
    mutating func changed(_ topic: ObservationTopic) -> [Int] {
        revision += 1
        revisions[topic] = revision
        return entries.filter { $0.value.topics.contains(topic) }.map(\.key).sorted()
    }

    /// - Returns: `nil` where too many wait already.
    mutating func enter(_ topics: Set<ObservationTopic>, observer: String) -> Int? {
        guard entries.count < limits.count,
            entries(of: observer).count < limits.countOfObserver
        else { return nil }
        nextID += 1
        entries[nextID] = Entry(topics: topics, observer: observer)
        return nextID
    }

    func entries(of observer: String) -> [Int] {
        entries.filter { $0.value.observer == observer }.map(\.key)
    }

    mutating func leave(_ id: Int) {
        entries[id] = nil
    }
}
