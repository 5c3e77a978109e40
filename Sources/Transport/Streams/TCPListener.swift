internal import CLinux
internal import Glibc

/// A listening TCP socket on an event loop.
///
/// The invariant behind `@unchecked Sendable`: everything is used on the loop's thread only.
package final class TCPListener: @unchecked Sendable {
    /// Where it listens. If port 0 was asked for, this has the port that the kernel chose.
    package let address: SocketAddress

    private let loop: EventLoop
    private let limits: StreamLimits
    private let raw: Int32
    private var descriptor: FileDescriptor?
    private var token: EventLoop.WatchToken?

    /// Binds and listens. Nothing is accepted before ``start(accept:)``.
    /// - Parameter takesIPv4: whether IPv6's wildcard also takes connections over IPv4. If not, it
    ///   can stand beside IPv4's.
    package init(
        on address: SocketAddress, loop: EventLoop, limits: StreamLimits = StreamLimits(),
        takesIPv4: Bool = true
    ) throws(SystemError) {
        let descriptor = try ListeningDescriptor.open(address, takesIPv4: takesIPv4)
        let raw = descriptor.raw
        guard let bound = SocketAddress(of: raw, getsockname) else {
            throw .last("listening on \(address)")
        }
        self.address = bound
        self.loop = loop
        self.limits = limits
        self.raw = raw
        self.descriptor = consume descriptor
    }

    /// Accepts connections from now on. Each new stream belongs to the callback.
    package func start(accept: @escaping (TCPStream) -> Void) throws(SystemError) {
        precondition(token == nil && descriptor != nil, "A listener starts once")
        token = try loop.watch(raw, for: .readable) { [self] _ in acceptAll(accept) }
    }

    /// Stops listening. Accepted streams live on.
    package func close() {
        if let token { loop.unwatch(token) }
        token = nil
        descriptor = nil
    }

    private func acceptAll(_ accept: (TCPStream) -> Void) {
        // The number is limited, so that a flood of connections does not starve those that exist.
        for _ in 0..<64 {
            guard token != nil else { return }
            let accepted = clinux_accept(raw)
            guard accepted >= 0 else { return acceptFailed(clinux_errno()) }
            accept(TCPStream(owning: FileDescriptor(owning: accepted), loop: loop, limits: limits))
        }
    }

    private func acceptFailed(_ code: Int32) {
        switch code {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            // The connection stays in the backlog and the socket stays readable: without a pause
            // this would spin (accept(2)).
            guard let token else { return }
            loop.update(token, for: [])
            loop.schedule(after: .milliseconds(100)) { [self] in
                if let token = self.token { loop.update(token, for: .readable) }
            }
        default:
            // EAGAIN, or a connection that ended in the backlog.
            return
        }
    }
}
