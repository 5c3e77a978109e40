/// A node's capabilities, as both sides tell them to each other in the handshake.
///
/// Source: "Distribution Flags", erl_dist_protocol; `DFLAG_…` in OTP's `dist.h`.
public struct DistributionFlags: OptionSet, Hashable, Sendable {
    /// The flags as the handshake carries them.
    public let rawValue: UInt64

    /// Makes flags from their bits, known or not.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The node is part of the global name space; without it the node is hidden.
    public static let published = DistributionFlags(rawValue: 0x1)
    /// References of several words. Mandatory.
    public static let extendedReferences = DistributionFlags(rawValue: 0x4)
    /// `monitor/2` between nodes.
    public static let monitors = DistributionFlags(rawValue: 0x8)
    /// Funs in a form that no longer exists. Mandatory all the same.
    public static let funTags = DistributionFlags(rawValue: 0x10)
    /// Monitors of registered names. OTP sends monitors only to nodes that have this and
    /// ``monitors``.
    public static let monitorsByName = DistributionFlags(rawValue: 0x20)
    /// Funs with the code's MD5. Mandatory.
    public static let newFunTags = DistributionFlags(rawValue: 0x80)
    /// Pids and ports of more than 15 and 13 bits. Mandatory.
    public static let extendedPidsAndPorts = DistributionFlags(rawValue: 0x100)
    /// `fun M:F/A` as a term of its own. Mandatory.
    public static let exportTag = DistributionFlags(rawValue: 0x200)
    /// Bit strings. Mandatory.
    public static let bitBinaries = DistributionFlags(rawValue: 0x400)
    /// Floats of 8 bytes. Mandatory.
    public static let newFloats = DistributionFlags(rawValue: 0x800)
    /// The distribution header carries atom cache references.
    public static let headerAtomCache = DistributionFlags(rawValue: 0x2000)
    /// Atoms in UTF-8. Mandatory.
    public static let utf8Atoms = DistributionFlags(rawValue: 0x1_0000)
    /// Maps. Mandatory.
    public static let mapTag = DistributionFlags(rawValue: 0x2_0000)
    /// Creations of 32 bits. Mandatory.
    public static let bigCreation = DistributionFlags(rawValue: 0x4_0000)
    /// SEND_SENDER instead of SEND.
    public static let sendSender = DistributionFlags(rawValue: 0x8_0000)
    /// Exit reasons travel as payload, not inside the control message.
    public static let exitPayload = DistributionFlags(rawValue: 0x40_0000)
    /// Large messages travel in fragments.
    public static let fragments = DistributionFlags(rawValue: 0x80_0000)
    /// The handshake of OTP 23, version 6.
    public static let handshake23 = DistributionFlags(rawValue: 0x100_0000)
    /// UNLINK_ID and UNLINK_ID_ACK instead of UNLINK.
    public static let unlinkID = DistributionFlags(rawValue: 0x200_0000)
    /// The node has everything that OTP 25 made mandatory. Some published tables put this flag at
    /// bit 36, which no node uses.
    public static let mandatory25Digest = DistributionFlags(rawValue: 1 << 26)
    /// SPAWN_REQUEST and SPAWN_REPLY, by which `erpc` calls.
    public static let spawn = DistributionFlags(rawValue: 1 << 32)
    /// "Give me a name": the connecting node has only a host.
    public static let nameMe = DistributionFlags(rawValue: 1 << 33)
    /// Pids and references may use the widths of OTP 24.
    public static let version4Containers = DistributionFlags(rawValue: 1 << 34)
    /// ALIAS_SEND: messages to references that processes give out.
    public static let alias = DistributionFlags(rawValue: 1 << 35)
    /// ALTACT_SIG_SEND of OTP 28.
    public static let alternativeActions = DistributionFlags(rawValue: 1 << 37)

    /// The flags that OTP 25 demands of its peers, and that we demand of ours.
    public static let mandatory25: DistributionFlags = [
        .extendedReferences, .funTags, .newFunTags, .extendedPidsAndPorts, .exportTag,
        .bitBinaries, .newFloats, .utf8Atoms, .mapTag, .bigCreation, .handshake23,
    ]

    /// The flags that OTP 26 and later demand of their peers.
    public static let mandatory26: DistributionFlags = [
        .mandatory25, .unlinkID, .version4Containers,
    ]

    /// The flags of a hidden node that every OTP from 25 accepts.
    public static let standard: DistributionFlags = [
        .mandatory26, .mandatory25Digest, .monitors, .monitorsByName, .sendSender, .exitPayload,
        .fragments, .spawn, .alias,
    ]

    /// The names of the flags as OTP's `dist.h` spells them, for messages; unknown bits in
    /// hexadecimal.
    public var names: [String] {
        var names = Self.spellings.filter { contains($0.flag) }.map(\.name)
        let unknown = Self.spellings.reduce(self) { $0.subtracting($1.flag) }
        if !unknown.isEmpty { names.append("0x" + String(unknown.rawValue, radix: 16)) }
        return names
    }

    private static let spellings: [(flag: DistributionFlags, name: String)] = [
        (.published, "PUBLISHED"), (.extendedReferences, "EXTENDED_REFERENCES"),
        (.monitors, "DIST_MONITOR"), (.funTags, "FUN_TAGS"), (.monitorsByName, "DIST_MONITOR_NAME"),
        (.newFunTags, "NEW_FUN_TAGS"), (.extendedPidsAndPorts, "EXTENDED_PIDS_PORTS"),
        (.exportTag, "EXPORT_PTR_TAG"), (.bitBinaries, "BIT_BINARIES"), (.newFloats, "NEW_FLOATS"),
        (.headerAtomCache, "DIST_HDR_ATOM_CACHE"), (.utf8Atoms, "UTF8_ATOMS"), (.mapTag, "MAP_TAG"),
        (.bigCreation, "BIG_CREATION"), (.sendSender, "SEND_SENDER"),
        (.exitPayload, "EXIT_PAYLOAD"), (.fragments, "FRAGMENTS"), (.handshake23, "HANDSHAKE_23"),
        (.unlinkID, "UNLINK_ID"), (.mandatory25Digest, "MANDATORY_25_DIGEST"), (.spawn, "SPAWN"),
        (.nameMe, "NAME_ME"), (.version4Containers, "V4_NC"), (.alias, "ALIAS"),
        (.alternativeActions, "ALTACT_SIG"),
    ]
}
