/// When credentials are asked for anew, used on, and thought expired. It does no I/O and reads no
/// clock.
///
/// Credentials are used until they expire. Before that they are fetched anew: old ones that are
/// still valid are used while that lasts or fails. One question is under way at most.
struct CredentialsRefresh: Equatable, Sendable {
    enum Action: Equatable, Sendable {
        case use(AWSCredentials)
        /// Use these, and fetch new ones meanwhile.
        case useAndFetch(AWSCredentials)
        case fetch
        /// They are being fetched.
        case wait
        case refuse(CredentialsError)
    }

    /// How long before they expire credentials are fetched anew, in seconds. Those that live
    /// shortly are fetched anew at half of their life.
    static let margin = 300
    /// Between two failing questions, in seconds at most. The first pause is one second.
    static let maximumPause = 60
    /// Who says that credentials are not accepted, this many seconds after they came, speaks of the
    /// ones before them.
    static let graceOfNew = 5

    private struct Known: Equatable {
        var credentials: AWSCredentials
        /// `nil` for those that last.
        var refreshTime: Int?
        var fetchTime: Int

        func isValid(at time: Int) -> Bool {
            credentials.expiration.map { $0 > time } ?? true
        }
    }

    private struct Failure: Equatable {
        var error: CredentialsError
        var count: Int
        /// No question is asked in it.
        var pause: Range<Int>
    }

    private var known: Known?
    private var failure: Failure?
    private var isFetching = false

    /// - Parameter time: in seconds since 1970, as all times here.
    mutating func asked(at time: Int) -> Action {
        let pauses = failure?.pause.contains(time) ?? false
        if let known, known.isValid(at: time) {
            let isDue = known.refreshTime.map { time >= $0 } ?? false
            guard isDue, !isFetching, !pauses else { return .use(known.credentials) }
            isFetching = true
            return .useAndFetch(known.credentials)
        }
        if isFetching { return .wait }
        if pauses, let failure { return .refuse(failure.error) }
        isFetching = true
        return .fetch
    }

    /// The question that was under way has an answer.
    /// - Parameter jitter: 0.5 to 1, so that many hosts do not ask in step.
    /// - Returns: what those get who wait.
    mutating func answered(
        _ answer: Result<AWSCredentials, CredentialsError>, at time: Int, jitter: Double
    ) -> Result<AWSCredentials, CredentialsError> {
        isFetching = false
        var answer = answer
        if case .success(let credentials) = answer, let expiration = credentials.expiration,
            expiration <= time
        {
            answer = .failure(
                CredentialsError(
                    "the AWS credentials that were found have expired: renew them where they come "
                        + "from, and look whether this host's clock is right"))
        }
        switch answer {
        case .success(let credentials):
            known = Known(
                credentials: credentials,
                refreshTime: credentials.expiration.map {
                    $0 - min(Self.margin, ($0 - time) / 2)
                }, fetchTime: time)
            failure = nil
        case .failure(let error):
            let count = min((failure?.count ?? 0) + 1, 30)
            let pause = Double(min(1 << min(count - 1, 10), Self.maximumPause)) * jitter
            failure = Failure(
                error: error, count: count, pause: time..<(time + max(1, Int(pause.rounded()))))
        }
        return answer
    }

    /// What was given is not accepted any more.
    mutating func invalidated(at time: Int) {
        guard let known, !(0..<Self.graceOfNew).contains(time - known.fetchTime) else { return }
        self.known = nil
    }

    /// Whether valid credentials are at hand.
    func isUsable(at time: Int) -> Bool { known?.isValid(at: time) ?? false }
}
