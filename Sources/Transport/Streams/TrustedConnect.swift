extension ListenerTrust {
    /// Connects to `address`, if what listens there is believed.
    /// - Throws: ``ListenerRefusal`` when it is not; else what `TCPStream.connect` throws.
    package func connect(
        to address: SocketAddress, timeout: Duration, on loop: EventLoop,
        limits: StreamLimits = StreamLimits()
    ) async throws -> TCPStream {
        let before = try await listeners(at: address)
        let stream = try await TCPStream.connect(
            to: address, timeout: timeout, on: loop, limits: limits)
        do {
            guard let before else {
                // A host takes the address that it connects to for its own: an address that no
                // interface has, or one that is not known because nobody is told of interfaces.
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
