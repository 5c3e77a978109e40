extension ListenerTrust {
    /// Connects to `address`, if the listener there is believed.
    /// - Throws: ``ListenerRefusal`` when it is not; otherwise what `TCPStream.connect` throws.
    package func connect(
        to address: SocketAddress, timeout: Duration, on loop: EventLoop,
        limits: StreamLimits = StreamLimits()
    ) async throws -> TCPStream {
        let before = try await listeners(at: address)
        let stream = try await TCPStream.connect(
            to: address, timeout: timeout, on: loop, limits: limits)
        do {
            guard let before else {
                // A host connects to its own addresses from the same address. So this address is
                // one of its own, although no interface was known to have it: it may have none, or
                // the kernel may not say.
                guard stream.localAddress.unmapped.octets != address.unmapped.octets else {
                    throw ListenerRefusal(address: address, reason: .changed)
                }
                return stream
            }
            let after = try await listeners(at: address) ?? []
            try await verify(before, after, at: address)
        } catch {
            stream.close()
            throw error
        }
        return stream
    }
}
