package import Supervisor
package import Transport

/// Asks the nodes of instances for their figures: each while somebody observes
/// ``ObservationTopic/node(_:)``, and once when somebody asks. Nothing is asked otherwise.
package actor NodeSampler {
    package nonisolated let loop: EventLoop
    private let feed: ObservationFeed
    private let node: @Sendable (InstanceName) async -> (any RemoteNode)?
    private var states: [InstanceName: State] = [:]

    private struct State {
        var last: (figures: NodeFigures, time: MonotonicTime)?
        var history = NodeHistory()
        /// Why the last question had no answer.
        var failure: NodeError?
        /// The question that is under way.
        var question: Task<Result<NodeFigures, NodeError>, Never>?
        var timer: LoopTimer?
        var lastWanted = MonotonicTime.now
    }

    /// The time between two samples.
    private let interval: Duration
    /// How long an observer may take between two calls.
    private let patience: Duration
    /// The longest time between two samples that rates are made from.
    private static let longest: Duration = .seconds(60)

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameter node: an instance's node; `nil` while it is not connected.
    package init(
        feed: ObservationFeed, interval: Duration = .seconds(2),
        patience: Duration = .seconds(10),
        node: @escaping @Sendable (InstanceName) async -> (any RemoteNode)?
    ) {
        self.feed = feed
        self.interval = interval
        self.patience = patience
        self.node = node
        loop = feed.loop
    }

    /// Whether it asks the node again and again at the moment.
    package func isMeasuring(_ instance: InstanceName) -> Bool { states[instance]?.timer != nil }

    /// Somebody observes the node.
    package func begin(_ instance: InstanceName) {
        states[instance, default: State()].lastWanted = .now
        if states[instance]?.timer == nil { measure(instance) }
    }

    /// What the node said last, if that was within `age`; else what it says now.
    package func figures(
        of instance: InstanceName, within age: Duration = .seconds(2)
    ) async throws(NodeError) -> NodeFigures {
        if let last = states[instance]?.last, MonotonicTime.now - last.time <= age,
            states[instance]?.failure == nil
        {
            return last.figures
        }
        return try await ask(instance).get()
    }

    /// The figures of those nodes that have told them within `age`, or tell them now. All are asked
    /// at the same time.
    package func figures(
        of instances: [InstanceName], within age: Duration
    ) async -> [InstanceName: NodeFigures] {
        let questions = instances.map { instance in
            (instance, Task { await self.recentFigures(of: instance, within: age) })
        }
        var found: [InstanceName: NodeFigures] = [:]
        for (instance, question) in questions { found[instance] = await question.value }
        return found
    }

    private func recentFigures(of instance: InstanceName, within age: Duration) async
        -> NodeFigures?
    {
        do throws(NodeError) {
            return try await figures(of: instance, within: age)
        } catch {
            return nil
        }
    }

    /// Why the node's last figures are not of now.
    package func failure(of instance: InstanceName) -> NodeError? { states[instance]?.failure }

    package func history(of instance: InstanceName) -> NodeHistory {
        states[instance]?.history ?? NodeHistory()
    }

    private func measure(_ instance: InstanceName) {
        // Set first: asking takes a while, and the next observer is to find it.
        states[instance]?.timer = loop.schedule(after: interval) {
            self.assumeIsolated { $0.timePassed(instance) }
        }
        Task {
            _ = await ask(instance)
            await feed.publish(.node(instance))
        }
    }

    private func timePassed(_ instance: InstanceName) {
        Task {
            if await feed.isObserved(.node(instance)) { states[instance]?.lastWanted = .now }
            guard let wanted = states[instance]?.lastWanted, MonotonicTime.now - wanted < patience
            else {
                states[instance]?.timer = nil
                return
            }
            measure(instance)
        }
    }

    /// Asks the node, or waits for the answer to the question that is under way.
    private func ask(_ instance: InstanceName) async -> Result<NodeFigures, NodeError> {
        if let question = states[instance]?.question { return await question.value }
        let task = Task { await self.answer(instance) }
        states[instance, default: State()].question = task
        return await task.value
    }

    private func answer(_ instance: InstanceName) async -> Result<NodeFigures, NodeError> {
        let result: Result<NodeSample, NodeError>
        do throws(NodeError) {
            guard let node = await node(instance) else { throw .notConnected }
            result = .success(try await NodeSample(of: node))
        } catch {
            result = .failure(error)
        }
        states[instance]?.question = nil
        switch result {
        case .failure(let error):
            states[instance]?.failure = error
            return .failure(error)
        case .success(let sample):
            // Of a longer time an average would say little.
            let last = states[instance]?.last.flatMap {
                MonotonicTime.now - $0.time < Self.longest ? $0.figures.sample : nil
            }
            let figures = NodeFigures(sample, at: Int(loop.secondsSince1970), since: last)
            states[instance]?.failure = nil
            states[instance]?.last = (figures, .now)
            states[instance]?.history.append(figures)
            return .success(figures)
        }
    }
}
