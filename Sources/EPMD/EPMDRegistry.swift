/// The names that are registered with a daemon. Each belongs to one connection.
///
/// Each registration has a different creation, so that nobody confuses pids of a node's earlier
/// life with present ones.
///
/// Source: "Register a Node in EPMD", erl_dist_protocol; `epmd_srv.c`.
struct EPMDRegistry {
    /// Names a connection; the daemon never uses one twice.
    typealias ConnectionID = UInt64

    struct Registration: Equatable {
        var node: EPMDNodeInfo
        var connection: ConnectionID
        var creation: UInt32
    }

    /// The bytes of a name. Unlike `String`s, names are equal only when their bytes are.
    private typealias Key = [UInt8]

    /// For how many former names the small creation is remembered; as many as in OTP.
    static let rememberedNameCount = 1000

    private var registrations: [ConnectionID: Registration] = [:]
    private var connections: [Key: ConnectionID] = [:]
    private var nextCreation: UInt32
    /// The last creation 1…3 of each name that a node before version 6 has, or had, registered.
    private var smallCreations: [Key: UInt32] = [:]
    /// The keys of `smallCreations`, oldest first.
    private var rememberedNames: [Key] = []

    /// - Parameter firstCreation: Differs from one run of the daemon to the next; see
    ///   ``register(_:by:)``.
    init(firstCreation: UInt32) {
        nextCreation = firstCreation
    }

    var isEmpty: Bool { registrations.isEmpty }
    var count: Int { registrations.count }

    /// The registrations, latest first, as OTP's daemon lists them.
    var all: [Registration] {
        registrations.values.sorted { $0.connection > $1.connection }
    }

    /// Registers `node` for as long as `connection` lives.
    /// - Returns: The creation: at least 4 for version 6, and 1…3 before it. `nil` when the name is
    ///   taken.
    mutating func register(_ node: EPMDNodeInfo, by connection: ConnectionID) -> UInt32? {
        precondition(registrations[connection] == nil, "A connection registers one node")
        let key = Key(node.name.utf8)
        guard connections[key] == nil else { return nil }
        let creation = node.highestVersion >= 6 ? takeCreation() : takeSmallCreation(of: key)
        connections[key] = connection
        registrations[connection] = Registration(
            node: node, connection: connection, creation: creation)
        return creation
    }

    /// Ends the registration of `connection`, if there is one.
    @discardableResult
    mutating func unregister(by connection: ConnectionID) -> Registration? {
        guard let registration = registrations.removeValue(forKey: connection) else { return nil }
        connections[Key(registration.node.name.utf8)] = nil
        return registration
    }

    func lookUp(_ name: String) -> Registration? {
        connections[Key(name.utf8)].flatMap { registrations[$0] }
    }

    private mutating func takeCreation() -> UInt32 {
        // 0 stands for any creation, and 1…3 are what old daemons give.
        if nextCreation < 4 { nextCreation = 4 }
        defer { nextCreation &+= 1 }
        return nextCreation
    }

    private mutating func takeSmallCreation(of key: Key) -> UInt32 {
        if let last = smallCreations[key] {
            let creation = last % 3 + 1
            smallCreations[key] = creation
            return creation
        }
        if rememberedNames.count == Self.rememberedNameCount {
            smallCreations[rememberedNames.removeFirst()] = nil
        }
        let creation = nextCreation % 3 + 1
        smallCreations[key] = creation
        rememberedNames.append(key)
        return creation
    }
}
