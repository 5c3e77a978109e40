internal import HTTP

/// How the servers that give credentials are asked.
struct CredentialsServers: Sendable {
    /// Reaches AWS, through proxies if need be.
    var client: any HTTPSending
    /// Reaches what stands beside this host. A proxy must not see it, and could not reach it.
    var direct: any HTTPSending
    /// The seconds since 1970.
    var clock: @Sendable () -> Int
    var sleep: @Sendable (Duration) async -> Void

    /// Asks until the server answers something that counts: what it cannot do just now, and what
    /// does not reach it, is asked again.
    func answer(
        _ request: HTTPRequest, directly: Bool, attempts: Int, within deadline: Duration
    ) async throws(HTTPError) -> HTTPAnswer {
        var attempt = 1
        var pause = Duration.milliseconds(200)
        while true {
            do throws(HTTPError) {
                let answer = try await (directly ? direct : client).send(
                    request, within: deadline, contentLimit: CredentialsAnswer.byteLimit)
                let isWorthAsking = answer.status >= 500 || answer.status == 429
                guard isWorthAsking, attempt < attempts else { return answer }
            } catch {
                switch error {
                case .unreachable, .timedOut, .stalled, .badResponse:
                    guard attempt < attempts, !Task.isCancelled else { throw error }
                case .unusable, .notWritten, .stopped: throw error
                }
            }
            attempt += 1
            await sleep(pause * Double.random(in: 0.5...1))
            pause = pause * 2
        }
    }
}

extension AWSCredentials {
    /// The same with the time by this host's clock: the server's may be another.
    func expiring(by answer: HTTPAnswer, clock: Int) -> AWSCredentials {
        var credentials = self
        if let expiration, let skew = answer.skew(clock) {
            credentials.expiration = expiration - skew
        }
        return credentials
    }
}

extension HTTPAnswer {
    /// The server's clock less ours, in seconds; `nil` when it does not tell the time.
    func skew(_ clock: Int) -> Int? {
        fields.values("date").first.flatMap { UTCTime.seconds(httpDate: $0) }.map { $0 - clock }
    }
}
