internal import ExternalTermFormat

/// A node's name, and how it names its processes and references. It belongs to its node's
/// isolation.
final class NodeIdentity {
    /// The host of a node that has no name yet.
    let host: String
    /// `nil` until a peer names a node that asks for a name.
    private(set) var name: NodeName?
    /// Which life of the node this is.
    var creation: UInt32
    /// Distinguishes the references of two nodes with the same name and creation.
    private let salt = UInt32.random(in: 0 ... .max)
    private var lastNumber: UInt64 = 0

    init(name: NodeName?, host: String) {
        self.name = name
        self.host = host
        // Nodes before OTP 23 use 0 to 3. EPMD may assign another creation.
        creation = UInt32.random(in: 4 ... .max)
    }

    /// A peer has given the node its name.
    func assign(_ assigned: PeerNode.AssignedName) {
        name = assigned.name
        creation = assigned.creation
    }

    /// The node name in this node's pids: `nonode@nohost` as long as the node has no name.
    var atom: Atom { name?.atom ?? Atom("nonode@nohost") }

    /// - Parameter creation: our creation as the node knows it that the pid is sent to.
    func pid(_ id: UInt32, creation: UInt32, serial: UInt32 = 0) -> PID {
        PID(node: atom, id: id, serial: serial, creation: creation)
    }

    /// A new number. Numbers repeat only after ``CallFrames/maximumNumber`` of them.
    func makeNumber() -> UInt64 {
        lastNumber = lastNumber == CallFrames.maximumNumber ? 1 : lastNumber + 1
        return lastNumber
    }

    func makeReference(creation: UInt32) -> Reference {
        reference(makeNumber(), creation: creation)
    }

    /// The reference of the call with this number.
    func reference(_ number: UInt64, creation: UInt32) -> Reference {
        CallFrames.reference(number, of: pid(0, creation: creation), salt: salt)
    }

    /// The number of a call, by its reference; `nil` for references of others.
    func number(of reference: Reference, creation: UInt32) -> UInt64? {
        CallFrames.number(of: reference, creation: creation, salt: salt)
    }

    /// The frames of calls that the node makes.
    func callFrames(
        creation: UInt32, leaderSerial: UInt32, form: MessageDecoder.Form
    ) -> CallFrames {
        CallFrames(
            caller: pid(0, creation: creation),
            leader: pid(0, creation: creation, serial: leaderSerial), salt: salt, form: form)
    }
}
