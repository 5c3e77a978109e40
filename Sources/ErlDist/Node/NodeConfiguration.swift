public import ExternalTermFormat
public import Transport

extension Node {
    /// How a node behaves.
    public struct Configuration: Sendable {
        /// The capabilities that the node offers to peers.
        public var flags = DistributionFlags.standard
        /// A peer that is silent for this long is given up. Ticks are a quarter of it apart.
        public var tickTime: Duration = .seconds(60)
        /// How long connecting to one address may take, and how long the handshake after it may
        /// take.
        public var connectTimeout: Duration = .seconds(7)
        /// How many calls from other nodes may run at once; the node refuses more (`system_limit`).
        public var maximumIncomingCalls = 1024
        /// How many of those calls may come from one node.
        public var maximumIncomingCallsPerPeer = 512
        /// How many bytes, as received, all running calls from other nodes may have together. The
        /// node refuses a call that does not fit beside others (`system_limit`).
        public var maximumIncomingCallByteCount = 16 << 20
        /// How many connections may be in their handshake. One more closes the oldest connection of
        /// the source that has most. All loopback addresses are one source, and so is each /64
        /// network of IPv6.
        public var maximumHandshakes = 256
        /// How many connections others may have made that this node has not used for calls of its
        /// own. One more closes the oldest connection of the source that has most.
        public var maximumAcceptedConnections = 256
        /// How many bytes may be kept for all peers together: incomplete frames and messages, and
        /// data that waits to be sent. Beyond that the peer that has most loses its connection.
        public var maximumHeldByteCount = 256 << 20
        /// The limits on a message's terms. With the default a message takes less than 50 ms to
        /// read. A node that calls only nodes that it trusts may use ``DecodingLimits/answers``.
        public var terms = DecodingLimits.distribution
        /// How many lines about peers are logged.
        var reports = ReportBudget.Limits()
        /// How many calls may wait for answers on one connection.
        public var maximumOutgoingCalls = 100_000
        /// TLS for every connection, in both directions; plain TCP without it.
        public var tls: DistributionTLS?
        /// Who may connect; `nil` admits everybody with TLS, and this host without.
        public var admittedPeers: AdmittedPeers?
        /// Says, before a node is dialled, whose listeners are believed. A listener that is dialled
        /// gets from us the answer to its challenge, which only the cookie yields.
        public var trust: Trust = { _ in ListenerTrust() }
        /// Decides about each node that connects with a name; by default the cookie suffices.
        public var admission: Admission?
        /// How many bytes may wait to be sent to one peer.
        public var queuedByteCount = 64 << 20
        /// How many bytes one call may print; the rest is left out.
        public var maximumOutputByteCount = 16 << 20

        /// A hidden node over plain TCP, with limits that suit well-behaved peers.
        public init() {}

        /// The limits of a stream: more than calls may fill, so that there is always room for
        /// replies.
        var stream: StreamLimits {
            var limits = StreamLimits()
            limits.queuedByteCount = queuedByteCount + (8 << 20)
            return limits
        }

        /// The limits of a connection over a stream.
        var connection: Connection.Limits {
            var limits = Connection.Limits()
            limits.handshakeDeadline = connectTimeout
            // A shorter tick time than OTP's shortest is meant for tests.
            limits.tickTime = max(tickTime, .milliseconds(40))
            limits.terms = terms
            limits.queuedByteCount = queuedByteCount
            limits.fragments.byteCount = maximumHeldByteCount
            limits.busyByteCount = min(limits.busyByteCount, queuedByteCount / 2)
            return limits
        }

        /// Handshake packets have a longer length field under TLS. Source: `inet_tls_dist.erl`.
        var lengthWidth: HandshakePacketDecoder.LengthWidth {
            tls == nil ? .twoBytes : .fourBytes
        }
    }
}
