internal import Transport

/// Asks this host's resolver about this host. The resolver may be a server that does not answer, so
/// nobody waits for it for long: the host also works without it.
enum HostLookup {
    private static let patience = Duration.seconds(2)

    /// The name that the resolver gives `host`; `nil` when it knows none, or does not answer in
    /// time.
    static func canonicalName(of host: String, on loop: EventLoop) async -> String? {
        await answer(otherwise: nil, on: loop) {
            await offload { OwnHost.canonicalName(of: host) }
        }
    }

    /// The loopback addresses of IPv4 that `host`, a name of this host, resolves to, with `port`.
    /// BEAMs on this host look for its nodes there.
    static func loopbackAddresses(
        of host: String, port: UInt16, on loop: EventLoop
    ) async -> [SocketAddress] {
        await answer(otherwise: [], on: loop) {
            do throws(ResolutionError) {
                return try await SocketAddress.resolve(host, port: port)
                    .filter { $0.isLoopback && $0.isOfIPv4 }
            } catch {
                return []
            }
        }
    }

    private static func answer<Value: Sendable>(
        otherwise none: Value, on loop: EventLoop, _ ask: @escaping @Sendable () async -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            let waiter = Guarded<CheckedContinuation<Value, Never>?>(continuation)
            let take: @Sendable (Value) -> Void = { value in
                waiter.withLock { $0.take() }?.resume(returning: value)
            }
            loop.schedule(after: patience) { take(none) }
            Task { take(await ask()) }
        }
    }
}
