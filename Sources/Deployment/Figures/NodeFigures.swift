package import ExternalTermFormat

/// A sample of a node, with what has happened since the one before.
package struct NodeFigures: Equatable, Sendable {
    /// When the sample was taken, in seconds since 1970.
    package var seconds: Int
    package var sample: NodeSample
    /// The numbers from 0 to 1 that say how busy each scheduler was; `nil` where the node does not
    /// count it.
    package var utilization: [Double]?
    /// The processor time that the node used, as a share of its online schedulers, 0 to 1.
    package var processorShare: Double?
    package var reductionsPerSecond: Double?
    package var inputBytesPerSecond: Double?
    package var outputBytesPerSecond: Double?

    /// - Parameter earlier: an earlier sample; one of an earlier run of the node says nothing.
    package init(_ sample: NodeSample, at seconds: Int, since earlier: NodeSample? = nil) {
        self.seconds = seconds
        self.sample = sample
        guard let earlier, earlier.uptimeSeconds <= sample.uptimeSeconds,
            earlier.reductions <= sample.reductions
        else { return }
        let (elapsed, overflow) = sample.microseconds.subtractingReportingOverflow(
            earlier.microseconds)
        guard !overflow, elapsed > 0 else { return }
        let time = Double(elapsed) / 1e6
        func rate(_ now: Int, _ before: Int) -> Double? {
            now >= before ? Self.rounded(Double(now - before) / time, to: 1) : nil
        }
        reductionsPerSecond = rate(sample.reductions, earlier.reductions)
        inputBytesPerSecond = rate(sample.inputByteCount, earlier.inputByteCount)
        outputBytesPerSecond = rate(sample.outputByteCount, earlier.outputByteCount)
        if sample.schedulersOnline > 0, sample.runtimeMilliseconds >= earlier.runtimeMilliseconds {
            let used = Double(sample.runtimeMilliseconds - earlier.runtimeMilliseconds) / 1000
            processorShare = Self.share(used, time * Double(sample.schedulersOnline))
        }
        if let times = sample.schedulerTimes, let before = earlier.schedulerTimes,
            times.count == before.count
        {
            let shares = zip(times, before).compactMap { now, before -> Double? in
                guard now.total > before.total, now.active >= before.active else { return nil }
                return Self.share(
                    Double(now.active - before.active), Double(now.total - before.total))
            }
            utilization = shares.count == times.count ? shares : nil
        }
    }

    /// How busy the node was: its schedulers as it counts it, else its processor time.
    package var load: Double? {
        guard let utilization, !utilization.isEmpty else { return processorShare }
        return Self.rounded(utilization.reduce(0, +) / Double(utilization.count), to: 1000)
    }

    private static func share(_ part: Double, _ whole: Double) -> Double {
        rounded(min(max(part / whole, 0), 1), to: 1000)
    }

    private static func rounded(_ value: Double, to digits: Double) -> Double {
        (value * digits).rounded() / digits
    }
}

/// What is kept of a node's figures: a point every five seconds, for an hour.
package struct NodeHistory: Equatable, Sendable {
    package struct Point: Equatable, Sendable {
        var seconds: Int32
        var memory: Int
        var processes: Int32
        var runQueue: Int32
        var load: Float?
    }

    package private(set) var points: [Point] = []

    private static let secondsBetween: Int32 = 5
    private static let secondsKept: Int32 = 3600
    private static let countKept = 720

    package init() {}

    /// Keeps it, unless the point before is younger than five seconds.
    package mutating func append(_ figures: NodeFigures) {
        let now = Int32(clamping: figures.seconds)
        if let last = points.last?.seconds {
            if now >= last, now - last < Self.secondsBetween { return }
            // The clock was set back: what is later than now is of no use.
            if now < last { points.removeAll { $0.seconds > now } }
        }
        points.append(
            Point(
                seconds: now, memory: figures.sample.memory.total,
                processes: Int32(clamping: figures.sample.processes.count),
                runQueue: Int32(clamping: figures.sample.runQueue),
                load: figures.load.map { Float($0) }))
        let old = points.prefix { now - $0.seconds > Self.secondsKept }.count
        points.removeFirst(max(old, points.count - Self.countKept))
    }

    /// The points that are younger than `seconds`, or all.
    package func points(after seconds: Int?) -> ArraySlice<Point> {
        guard let seconds else { return points[...] }
        let count = points.reversed().prefix { Int($0.seconds) > seconds }.count
        return points.suffix(count)
    }
}

extension NodeFigures {
    /// The answer to `GET …/node`.
    /// - Parameter history: the points to be shown beside it.
    package func term(_ history: ArraySlice<NodeHistory.Point>) -> Term {
        var object = TermObject()
        object.add("at", seconds)
        object.add("cost_microseconds", sample.costMicroseconds)
        object.add("memory", sample.memory.term)
        object.add("run_queue", sample.runQueue)
        var schedulers = TermObject()
        schedulers.add("online", sample.schedulersOnline)
        schedulers.add("utilization", utilization)
        object.add("schedulers", schedulers.term)
        object.add("processor", processorShare)
        object.add("reductions_per_second", reductionsPerSecond)
        var io = TermObject()
        io.add("in_per_second", inputBytesPerSecond)
        io.add("out_per_second", outputBytesPerSecond)
        object.add("io", io.term)
        var limits = TermObject()
        limits.add("processes", sample.processes.term)
        limits.add("ports", sample.ports.term)
        limits.add("atoms", sample.atoms.term)
        object.add("limits", limits.term)
        object.add("uptime_seconds", sample.uptimeSeconds)
        object.add("history", history.map(\.term))
        return object.term
    }
}

extension NodeSample.Memory {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("total", total)
        object.add("processes", processes)
        object.add("system", system)
        object.add("atom", atom)
        object.add("binary", binary)
        object.add("code", code)
        object.add("ets", ets)
        return object.term
    }
}

extension NodeSample.Use {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("count", count)
        object.add("limit", limit)
        return object.term
    }
}

extension NodeHistory.Point {
    fileprivate var term: Term {
        [
            .integer(Int(seconds)), .integer(memory), .integer(Int(processes)),
            .integer(Int(runQueue)),
            load.map { .float((Double($0) * 1000).rounded() / 1000) } ?? .null,
        ]
    }
}
