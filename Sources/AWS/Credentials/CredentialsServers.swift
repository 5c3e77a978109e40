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
    /// How long an answer of what stands beside this host may take; `nil` for what is usual for each.
    var neighbourDeadline: Duration?

    private static let attempts = 3

    /// For STS.
    var service: AWSAsking {
        AWSAsking(
            client: client, clock: clock, sleep: sleep, attempts: Self.attempts,
            deadline: .seconds(10), contentLimit: CredentialsAnswer.byteLimit)
    }

    /// For what stands beside this host.
    func neighbour(within deadline: Duration) -> AWSAsking {
        AWSAsking(
            client: direct, clock: clock, sleep: sleep, attempts: Self.attempts,
            deadline: neighbourDeadline ?? deadline, contentLimit: CredentialsAnswer.byteLimit)
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
