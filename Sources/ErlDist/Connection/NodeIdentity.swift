internal import ExternalTermFormat

/// What a node is called, and how its processes and references are named. It belongs to its node's
/// isolation.
final class NodeIdentity {
    /// Where a node without a name lives.
    let host: String
    /// `nil` as long as no peer has given one to a node that asks for it.
    private(set) var name: NodeName?
    /// Which life of the node this is.
    var creation: UInt32
    /// Distinguishes the references of two nodes with the same name and creation.
    private let salt = UInt32.random(in: 0 ... .max)
    private var lastNumber: UInt64 = 0

    init(name: NodeName?, host: String) {
        self.name = name
        self.host = host
        // 0 to 3 are those of nodes before OTP 23. EPMD gives out another one.
        creation = UInt32.random(in: 4 ... .max)
    }

    /// A peer has given the node its name.
    func assign(_ assigned: PeerNode.AssignedName) {
        name = assigned.name
        creation = assigned.creation
    }

    /// How processes of this node are named by those of the same node.
    var atom: Atom { name?.atom ?? Atom("nonode@nohost") }

    /// - Parameter creation: ours as the node knows it that the pid is for.
    func pid(_ id: UInt32, creation: UInt32, serial: UInt32 = 0) -> PID {
        PID(node: atom, id: id, serial: serial, creation: creation)
    }

    /// A number that was not given out before.
    func makeNumber() -> UInt64 {
        lastNumber = lastNumber == CallFrames.maximumNumber ? 1 : lastNumber + 1
        return lastNumber
    }

    func makeReference(creation: UInt32) -> Reference {
        reference(makeNumber(), creation: creation)
    }

    /// The reference of a call, whose number it has.
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
