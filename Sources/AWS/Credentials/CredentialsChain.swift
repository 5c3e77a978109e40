internal import Glibc
package import HTTP
internal import Supervisor
package import Transport

/// The credentials that this host has, found in the order of AWS's own tools and renewed before
/// they expire.
///
/// ```swift
/// let chain = CredentialsChain(
///     environment: variables, region: "eu-west-1", client: client, loop: loop)
/// let credentials = try await chain.credentials()
/// ```
/// All who ask at the same time share one question. See ``CredentialsRefresh`` for when it asks.
package actor CredentialsChain: CredentialsSource {
    /// How long a `credential_process` may run.
    private static let programDeadline = Duration.seconds(60)

    private nonisolated let loop: EventLoop
    private let fetch: @Sendable () async throws(CredentialsError) -> AWSCredentials
    private let clock: @Sendable () -> Int
    private let warn: @Sendable (String) -> Void
    private var refresh = CredentialsRefresh()
    private var fetching: Task<Void, Never>?
    /// What the last question has led to.
    private var last = CredentialsChain.stopped
    private var waiters: [Int: CheckedContinuation<Answer, Never>] = [:]
    private var nextWaiter = 0
    private var hasWarned = false

    private typealias Answer = Result<AWSCredentials, CredentialsError>

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - environment: the variables that choose where credentials come from.
    ///   - region: where STS is asked for roles.
    ///   - client: servers beside this host are asked without its proxies.
    ///   - owners: whose files, programs and listeners on this host are believed.
    ///   - neighbourDeadline: how long the metadata service and the like may take for an answer;
    ///     `nil` for what is usual.
    ///   - warn: called on the loop's thread when a refresh fails and the old credentials are used.
    package init(
        environment: [String: String], region: String, client: HTTPClient, loop: EventLoop,
        owners: TrustedUsers = TrustedUsers(), neighbourDeadline: Duration? = nil,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        let clock: @Sendable () -> Int = { time(nil) }
        let fetch = CredentialsFetch(
            environment: environment, region: region, owners: owners,
            servers: CredentialsServers(
                client: client,
                direct: client.direct(believing: ListenerTrust(users: owners)), clock: clock,
                sleep: { await loop.sleep(for: $0) }, neighbourDeadline: neighbourDeadline),
            run: { program throws(CollectedProgram.Failure) in
                try await CollectedProgram.run(
                    program, on: loop, limit: CredentialsAnswer.byteLimit,
                    within: Self.programDeadline)
            })
        self.init(
            loop: loop, clock: clock, warn: warn,
            fetch: { () async throws(CredentialsError) in try await fetch.credentials() })
    }

    init(
        loop: EventLoop, clock: @escaping @Sendable () -> Int,
        warn: @escaping @Sendable (String) -> Void = { _ in },
        fetch: @escaping @Sendable () async throws(CredentialsError) -> AWSCredentials
    ) {
        self.loop = loop
        self.clock = clock
        self.warn = warn
        self.fetch = fetch
    }

    package func credentials() async throws(CredentialsError) -> AWSCredentials {
        switch refresh.asked(at: clock()) {
        case .use(let credentials): return credentials
        case .useAndFetch(let credentials):
            startFetching()
            return credentials
        case .fetch:
            startFetching()
            return try await wait().get()
        case .wait: return try await wait().get()
        case .refuse(let error): throw error
        }
    }

    package func invalidate() {
        refresh.invalidated(at: clock())
    }

    /// Ends the question that is under way, with whatever program it runs.
    package func stop() {
        fetching?.cancel()
    }

    var isFetching: Bool { fetching != nil }

    private func startFetching() {
        // It ends by its own deadlines, and keeps the chain alive until then.
        fetching = Task(executorPreference: loop) { await self.fetchOnce() }
    }

    private func fetchOnce() async {
        let answer: Answer
        do throws(CredentialsError) {
            answer = .success(try await fetch())
        } catch {
            answer = .failure(error)
        }
        fetching = nil
        let time = clock()
        let result = refresh.answered(answer, at: time, jitter: Double.random(in: 0.5...1))
        switch result {
        case .success: hasWarned = false
        case .failure(let error):
            // Otherwise those who ask are told.
            if refresh.isUsable(at: time), !hasWarned {
                hasWarned = true
                warn(
                    "renewing the AWS credentials: \(error); the old ones are used until they expire"
                )
            }
        }
        last = result
        let waiting = waiters.values
        waiters = [:]
        for waiter in waiting { waiter.resume(returning: result) }
    }

    /// Waits for the question that is under way.
    private func wait() async -> Answer {
        let number = nextWaiter
        nextWaiter += 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else {
                    return continuation.resume(returning: Self.stopped)
                }
                // On the way here the runtime may have let others run, and it has ended.
                guard isFetching else { return continuation.resume(returning: last) }
                waiters[number] = continuation
            }
        } onCancel: {
            Task(executorPreference: loop) { await self.leave(number) }
        }
    }

    private func leave(_ number: Int) {
        waiters.removeValue(forKey: number)?.resume(returning: Self.stopped)
    }

    private static let stopped = Answer.failure(
        CredentialsError("asking for AWS credentials: stopped"))
}
