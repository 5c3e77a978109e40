internal import HTTP

/// How a service of AWS is asked: what does not reach it, and what it cannot do just now, is asked
/// again, and a wrong clock of ours is corrected once by the service's.
struct AWSAsking: Sendable {
    var client: any HTTPSending
    /// The seconds since 1970.
    var clock: @Sendable () -> Int
    var sleep: @Sendable (Duration) async -> Void
    /// The first question included.
    var attempts: Int
    /// For each of them.
    var deadline: Duration
    var contentLimit: Int
    /// Whether the same question may have another answer soon.
    var isWorthAsking: @Sendable (HTTPAnswer) -> Bool = { $0.status >= 500 || $0.status == 429 }

    /// A signature that is older or newer than a service's clock by less than that is no reason
    /// to refuse it, in seconds.
    private static let tolerance = 240

    /// - Throws: an error of the last attempt.
    func answer(_ request: HTTPRequest) async throws(HTTPError) -> HTTPAnswer {
        var attempt = 1
        var pause = Duration.milliseconds(200)
        while true {
            do throws(HTTPError) {
                let answer = try await client.send(
                    request, within: deadline, contentLimit: contentLimit)
                guard attempt < attempts, isWorthAsking(answer) else { return answer }
            } catch {
                switch error {
                case .unreachable, .timedOut, .stalled, .badResponse:
                    guard attempt < attempts, !Task.isCancelled else { throw error }
                case .unusable, .notWritten, .stopped: throw error
                }
            }
            attempt += 1
            // Many hosts that were refused together do not come back together.
            await sleep(pause * Double.random(in: 0.5...1))
            pause = pause * 2
        }
    }

    /// The same for a question that is signed. Its content is bytes.
    func answer(
        _ request: HTTPRequest, signedBy signature: SignatureV4, as credentials: AWSCredentials
    ) async throws(HTTPError) -> HTTPAnswer {
        guard case .bytes(let content) = request.content else {
            preconditionFailure("A question to a service has bytes")
        }
        var skew: Int?
        while true {
            var request = request
            signature.sign(
                &request, payload: .bytes(content), credentials: credentials,
                at: clock() + (skew ?? 0))
            let answer = try await answer(request)
            // A signature is refused, under several names, when our clock is wrong.
            guard !answer.isSuccess, skew == nil, let found = answer.skew(clock()),
                abs(found) > Self.tolerance
            else { return answer }
            skew = found
        }
    }
}

extension HTTPAnswer {
    /// The server's clock less ours, in seconds; `nil` when it does not tell the time.
    func skew(_ clock: Int) -> Int? {
        fields.values("date").first.flatMap { UTCTime.seconds(httpDate: $0) }.map { $0 - clock }
    }
}
