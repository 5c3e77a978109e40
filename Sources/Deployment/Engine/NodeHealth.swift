internal import Transport

/// The health of one instance's node, according to its probes and its connection. It does no I/O
/// and reads no clock; ``Instance`` says whether there is a process to ask.
///
/// A new process, and the end of one, begin a new life: earlier knowledge is void. If a node boots
/// anew in the same process, it has to become ready anew.
struct NodeHealth: Equatable {
    enum Readiness: Equatable {
        /// It has not been ready in this life.
        case booting
        /// It was taken over, or upgraded in place, and has not answered since. It may be serving.
        case unheard(hasServed: Bool)
        case ready
        /// It was ready in this life, and must show again that it is.
        case lost
    }

    /// What an answer has changed.
    enum News: Equatable {
        case becameReady
        case respondsAgain
        case doesNotRespond(String)
        /// It has not been ready for a while, or cannot become ready as things are. The reason is
        /// not the same as last time.
        case doesNotAnswerWell(String)
        /// It is there and has not answered `count` probes in a row.
        case hung(count: Int)
    }

    private(set) var readiness = Readiness.booting
    private(set) var isConnected = false
    /// Why the last probe did not find it ready.
    private(set) var reason: String?
    /// Whether it is there and does not answer. Only an answer ends this, or the end of the life.
    private(set) var isSilent = false
    /// Whether it was connected to this deployex since the process was started or taken over. Until
    /// then its silence may have a cause that no restart mends, such as TLS on one side only.
    private var wasConnected = false
    /// Which life of the node was seen last.
    private(set) var creation: UInt32?
    /// Whether an upgrade in place has failed in the node: only a boot makes known what it runs.
    private(set) var isDoubtful = false
    /// Counts the runs that probes ask about: an answer about an earlier run says nothing about
    /// this one.
    private(set) var run = 0
    /// Probes in a row that did not find it ready.
    private var failedProbes = 0
    /// Probes in a row that the node, although it was there, did not answer in time.
    private var unansweredProbes = 0
    /// The last reason for not being ready that the log has reported.
    private var noticedReason: String?
    private var isProbing = false
    private var nextProbe: MonotonicTime?

    /// - Parameter creation: which life of the node an earlier deployex saw last.
    init(creation: UInt32?) {
        self.creation = creation
    }

    var isReady: Bool { readiness == .ready }
    /// Whether it answered the last probe in time; also `true` when it could not be asked.
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
        (wasConnected, reason, isSilent) = (false, nil, false)
        readiness = .unheard(hasServed: true)
        nextProbe = now
    }

    /// Its release was changed in place: it counts as ready when a probe finds it ready again.
    mutating func upgradedInPlace(now: MonotonicTime) {
        readiness = .unheard(hasServed: hasServed)
        askAnew(now: now)
    }

    /// It is not known what an upgrade in place has left in the node.
    mutating func doubt() {
        isDoubtful = true
    }

    mutating func settleDoubt() {
        isDoubtful = false
    }

    // MARK: The connection

    /// Takes note of a connection. Returns whether the node has begun another life in the same
    /// process.
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

    /// Asks for a probe at `time`, or at the time of an earlier request if that comes first.
    mutating func probe(at time: MonotonicTime) {
        nextProbe = min(nextProbe ?? time, time)
    }

    mutating func probeSoon(now: MonotonicTime) {
        nextProbe = now
    }

    /// The kind of the probe that is due, if any. The probe counts as begun.
    mutating func beginProbeIfDue(now: MonotonicTime) -> ProbeKind? {
        guard let due = probeDeadline, due <= now else { return nil }
        isProbing = true
        nextProbe = nil
        return isReady ? .liveness : .readiness
    }

    /// Takes the answer to the probe that was begun.
    /// - Parameters:
    ///   - age: of the process.
    ///   - isBeingChanged: the node may be busy with an upgrade, which has deadlines of its own.
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
            (reason, isSilent) = (text, false)
        case .unreachable(let text):
            isConnected = false
            reason = text
        case .refused(let text):
            isConnected = false
            isLasting = true
            (reason, isSilent) = (text, false)
        case .unresponsive(let text):
            guard wasConnected else {
                // What boots is not yet there to answer; what has served is.
                if reason == nil { isSilent = hasServed }
                // The attempt to connect goes on; the reason why the last one ended says more.
                reason = reason ?? text
                break
            }
            (reason, isSilent) = (text, true)
            // A boot may take long, but not forever.
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
        // A node takes a moment to boot, and the log reports a dying one as a crash: only a lasting
        // state is worth a line of its own.
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
        (reason, noticedReason, isSilent) = (nil, nil, false)
        endProbe(next: now + configuration.timings.livenessInterval)
        return news
    }

    private mutating func endProbe(next: MonotonicTime) {
        isProbing = false
        if case .unheard(let hasServed) = readiness { readiness = hasServed ? .lost : .booting }
        probe(at: next)
    }

    /// Asks anew at once. An answer under way is about the node's earlier life or release.
    private mutating func askAnew(now: MonotonicTime) {
        run += 1
        isProbing = false
        nextProbe = now
    }
}
