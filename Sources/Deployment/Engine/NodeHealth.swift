internal import Transport

/// How the node of one instance is, as its probes and its connection tell. It does no I/O and reads
/// no clock; ``Instance`` says whether there is a process to ask.
///
/// A new process, and the end of one, begin a new life: what was known is void. So does a node that
/// boots anew in the same process, as far as it has served.
struct NodeHealth: Equatable {
    enum Readiness: Equatable {
        /// It has not been ready in this life.
        case booting
        /// It was taken over, or upgraded in place, and has not answered since: it may serve.
        case unheard(hasServed: Bool)
        case ready
        /// It was ready in this life, and has to show again that it is.
        case lost
    }

    /// What an answer has changed.
    enum News: Equatable {
        case becameReady
        case respondsAgain
        case doesNotRespond(String)
        /// It has not been ready for a while, or cannot become so as things are; the reason is another
        /// one than last time.
        case doesNotAnswerWell(String)
        /// It is there and has not answered `count` probes in a row.
        case hung(count: Int)
    }

    private(set) var readiness = Readiness.booting
    private(set) var isConnected = false
    /// Why the last probe did not find it ready.
    private(set) var reason: String?
    /// Whether it was connected to this deployex since the process was started or taken over. Before
    /// that its silence may have a cause that no restart mends, such as TLS on one side only.
    private var wasConnected = false
    /// Which life of the node was seen last.
    private(set) var creation: UInt32?
    /// An upgrade in place has failed in the node: what it runs is known only after a boot.
    private(set) var isDoubtful = false
    /// Counts what may be asked about: an answer about an earlier run says nothing about this one.
    private(set) var run = 0
    /// Probes in a row that did not find it ready.
    private var failedProbes = 0
    /// Probes in a row that the node, though there, did not answer in time.
    private var unansweredProbes = 0
    /// What the log has been told about why it is not ready.
    private var noticedReason: String?
    private var isProbing = false
    private var nextProbe: MonotonicTime?

    /// - Parameter creation: which life of the node an earlier deployex saw last.
    init(creation: UInt32?) {
        self.creation = creation
    }

    var isReady: Bool { readiness == .ready }
    /// Whether it answered the last probe in time, as far as it could be asked.
    var isResponding: Bool { unansweredProbes == 0 }

    var isUnheard: Bool {
        if case .unheard = readiness { true } else { false }
    }

    private var hasServed: Bool {
        switch readiness {
        case .booting: false
        case .unheard(let hasServed): hasServed
        case .ready, .lost: true
        }
    }

    // MARK: Lives

    /// A new process is being made.
    mutating func beginRun() {
        endRun()
        run += 1
    }

    /// The process is gone.
    mutating func endRun() {
        let before = run
        self = NodeHealth(creation: nil)
        run = before
    }

    /// The process of an earlier deployex goes on as ours.
    mutating func adopted(now: MonotonicTime) {
        run += 1
        (wasConnected, reason) = (false, nil)
        readiness = .unheard(hasServed: true)
        nextProbe = now
    }

    /// Its release was changed in place: it counts as ready once it is seen so anew.
    mutating func upgradedInPlace(now: MonotonicTime) {
        readiness = .unheard(hasServed: hasServed)
        askAnew(now: now)
    }

    /// What an upgrade in place has left in the node is not known.
    mutating func doubt() {
        isDoubtful = true
    }

    mutating func settleDoubt() {
        isDoubtful = false
    }

    // MARK: The connection

    /// Whether the node has begun another life in the same process.
    mutating func connected(creation new: UInt32, now: MonotonicTime) -> Bool {
        (isConnected, wasConnected) = (true, true)
        let before = creation
        creation = new
        guard let before, before != new else { return false }
        readiness = isUnheard ? .unheard(hasServed: false) : .booting
        askAnew(now: now)
        return true
    }

    mutating func disconnected() {
        isConnected = false
    }

    // MARK: Probes

    /// When a probe is due; `nil` while one is under way.
    var probeDeadline: MonotonicTime? { isProbing ? nil : nextProbe }

    /// Asks for a probe at `time`, or as soon as one is asked for already.
    mutating func probe(at time: MonotonicTime) {
        nextProbe = min(nextProbe ?? time, time)
    }

    mutating func probeSoon(now: MonotonicTime) {
        nextProbe = now
    }

    /// The kind of the probe that is due, if one is; it counts as begun.
    mutating func beginProbeIfDue(now: MonotonicTime) -> ProbeKind? {
        guard let due = probeDeadline, due <= now else { return nil }
        isProbing = true
        nextProbe = nil
        return isReady ? .liveness : .readiness
    }

    /// Takes the answer to the probe that was begun.
    /// - Parameters:
    ///   - age: of the process.
    ///   - isBeingChanged: it may be busy with an upgrade, which has deadlines of its own.
    mutating func probed(
        _ result: ProbeResult, age: Duration, isBeingChanged: Bool,
        configuration: EngineConfiguration, now: MonotonicTime
    ) -> [News] {
        let timings = configuration.timings
        var news: [News] = []
        var isLasting = false
        switch result {
        case .ready:
            return foundReady(configuration: configuration, now: now)
        case .notReady(let text):
            (isConnected, wasConnected) = (true, true)
            unansweredProbes = 0
            reason = text
        case .unreachable(let text):
            isConnected = false
            reason = text
        case .refused(let text):
            isConnected = false
            isLasting = true
            reason = text
        case .unresponsive(let text):
            guard wasConnected else {
                // The attempt to connect goes on; how the last one ended says more.
                reason = reason ?? text
                break
            }
            reason = text
            // A boot may take long, but not for ever.
            guard hasServed || age >= timings.readyTimeout else { break }
            if isResponding { news.append(.doesNotRespond(text)) }
            unansweredProbes += 1
            guard unansweredProbes < timings.livenessFailures else {
                endProbe(next: now + timings.livenessInterval)
                guard !isBeingChanged else { return news }
                if isReady { readiness = .lost }
                return news + [.hung(count: unansweredProbes)]
            }
        }
        endProbe(next: now + (isReady ? timings.livenessInterval : timings.readinessInterval))
        failedProbes += 1
        // A node takes a moment to boot, and one that dies is told of as a crash: only what lasts
        // is worth a line of its own.
        let isNotable = isLasting || age >= timings.slowStartNotice && failedProbes > 2
        guard isNotable, isResponding, noticedReason != reason, let reason else { return news }
        noticedReason = reason
        return news + [.doesNotAnswerWell(reason)]
    }

    private mutating func foundReady(
        configuration: EngineConfiguration, now: MonotonicTime
    ) -> [News] {
        var news: [News] = isResponding ? [] : [.respondsAgain]
        if !isReady { news.append(.becameReady) }
        readiness = .ready
        isConnected = configuration.readiness.usesDistribution
        wasConnected = wasConnected || isConnected
        failedProbes = 0
        unansweredProbes = 0
        (reason, noticedReason) = (nil, nil)
        endProbe(next: now + configuration.timings.livenessInterval)
        return news
    }

    private mutating func endProbe(next: MonotonicTime) {
        isProbing = false
        if case .unheard(let hasServed) = readiness { readiness = hasServed ? .lost : .booting }
        probe(at: next)
    }

    /// What the node runs has changed: an answer that is under way speaks of what was before.
    private mutating func askAnew(now: MonotonicTime) {
        run += 1
        isProbing = false
        nextProbe = now
    }
}
