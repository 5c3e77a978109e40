/// What the handshake found out about the other side.
struct PeerNode: Equatable, Sendable {
    /// The name that the peer gave us because we asked for one.
    struct AssignedName: Equatable, Sendable {
        var name: NodeName
        var creation: UInt32
    }

    var name: NodeName
    /// Which life of the peer this is.
    var creation: UInt32
    /// What the peer says it can do.
    var peerFlags: DistributionFlags
    /// What we said.
    var ownFlags: DistributionFlags
    var assignedName: AssignedName?

    /// What both can do: it decides the form of everything after the handshake.
    var flags: DistributionFlags { peerFlags.intersection(ownFlags) }
    var isHidden: Bool { !peerFlags.contains(.published) }
}
