public import ExternalTermFormat
public import Transport

extension Node {
    /// How a node behaves.
    public struct Configuration: Sendable {
        /// What the node offers to peers.
        public var flags = DistributionFlags.standard
        /// A peer that is silent for so long is given up; a quarter of it is the time between
        /// ticks.
        public var tickTime: Duration = .seconds(60)
        /// How long connecting to one address may take, and how long the handshake after it.
        public var connectTimeout: Duration = .seconds(7)
        /// How many calls from other nodes may run at once; the node refuses more (`system_limit`).
        public var maximumIncomingCalls = 1024
        /// How many of them may be from one node.
        public var maximumIncomingCallsPerPeer = 512
        /// How many bytes the running calls from other nodes may have, as they came; the node
        /// refuses a call that does not fit beside others (`system_limit`).
        public var maximumIncomingCallByteCount = 16 << 20
        /// How many connections may be in their handshake. One more closes the oldest of the source
        /// that has most. All addresses of loopback are one source, and so is a /64 of IPv6.
        public var maximumHandshakes = 256
        /// How many connections others may have made over which this node has never called. One
        /// more closes the oldest of the source that has most.
        public var maximumAcceptedConnections = 256
        /// How many bytes may be kept for all peers together: parts of frames and messages, and
        /// what waits to be sent. More close the connection of the peer that has most.
        public var maximumHeldByteCount = 256 << 20
        /// The limits of a message's terms. By default a message takes less than 50 ms to read; who
        /// calls only nodes that it trusts may take ``DecodingLimits/answers``.
        public var terms = DecodingLimits.distribution
        /// How many lines about peers are logged.
        var reports = ReportBudget.Limits()
        /// How many calls may wait for answers on one connection.
        public var maximumOutgoingCalls = 100_000
        /// TLS for every connection, in both directions; plain TCP without it.
        public var tls: DistributionTLS?
        /// Who may connect; `nil` admits everybody with TLS, and this host without.
        public var admittedPeers: AdmittedPeers?
        /// Says, before a node is dialled, whose listeners are believed. A listener learns from us
        /// the answer to its challenge, which only the cookie gives.
        public var trust: Trust = { _ in ListenerTrust() }
        /// Decides about each node that connects under a name; by default the cookie suffices.
        public var admission: Admission?
        /// How many bytes may wait to be sent to one peer.
        public var queuedByteCount = 64 << 20
        /// What one call may print before the rest is left out.
        public var maximumOutputByteCount = 16 << 20

        /// A hidden node over plain TCP with the limits of a well-behaved one.
        public init() {}

        /// The limits of a stream: more than calls may fill, so that replies still have room.
        var stream: StreamLimits {
            var limits = StreamLimits()
            limits.queuedByteCount = queuedByteCount + (8 << 20)
            return limits
        }

        /// The limits of a connection over a stream.
        var connection: Connection.Limits {
            var limits = Connection.Limits()
            limits.handshakeDeadline = connectTimeout
            limits.tickTime = tickTime
            limits.terms = terms
            limits.queuedByteCount = queuedByteCount
            limits.busyByteCount = min(limits.busyByteCount, queuedByteCount / 2)
            return limits
        }

        /// The length of handshake packets has more bytes under TLS. Source: `inet_tls_dist.erl`.
        var lengthWidth: HandshakePacketDecoder.LengthWidth {
            tls == nil ? .twoBytes : .fourBytes
        }
    }
}
