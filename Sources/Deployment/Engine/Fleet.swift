internal import Supervisor
internal import Transport

/// The instances of an application, by number from one.
///
/// It says which instances serve, and so which may be spared.
struct Fleet: Sequence {
    private var instances: [Instance] = []

    /// Numbered in the order in which they come.
    mutating func add(_ instance: Instance) {
        precondition(instance.number.offset == instances.count, "Instances come in order")
        instances.append(instance)
    }

    subscript(_ number: InstanceNumber) -> Instance {
        get { instances[number] }
        _modify { yield &instances[number] }
    }

    var numbers: ClosedRange<InstanceNumber> { InstanceNumber.first(instances.count) }

    func makeIterator() -> IndexingIterator<[Instance]> { instances.makeIterator() }

    /// Whether an instance may be stopped: it serves nobody, or another one is ready, or there is
    /// no other. A rollout asks again later: the answer may change while the package is fetched.
    func maySpare(_ number: InstanceNumber) -> Bool {
        guard self[number].isReady else { return true }
        let others = instances.filter { $0.number != number && !$0.isStoppedByOperator }
        // An instance that was ready and is being stopped no longer serves.
        return others.isEmpty || others.contains { $0.isReady && $0.isUp }
    }

    /// Whether an instance that does not respond may be killed. If no other one serves, they are
    /// killed one after the other: a restart may not mend the cause. An instance that was killed has
    /// until `patience` to become ready: it may itself wait for one that hangs.
    func mayKillHung(
        _ number: InstanceNumber, patience: Duration, now: MonotonicTime
    ) -> Bool {
        let others = instances.filter { $0.number != number && !$0.isStoppedByOperator }
        return others.contains { $0.isReady && $0.isUp && $0.health.isResponding }
            || !others.contains { $0.killedAsHungAt.map { now < $0 + patience } ?? false }
    }

    /// The instance to change next, among those for which `isOutdated` holds. One that is not ready
    /// comes first: nobody misses it.
    func next(where isOutdated: (Instance) -> Bool) -> Instance? {
        let outdated = instances.filter { !$0.isStoppedByOperator && isOutdated($0) }
        if let unready = outdated.first(where: { !$0.isReady }) { return unready }
        return outdated.first.flatMap { maySpare($0.number) ? $0 : nil }
    }
}
