/// A term's contents, without counting a reference to it: the encoder looks at every term of a
/// tree.
///
/// The pointers are valid as long as the term that they come from. Whoever uses this keeps the root
/// of the tree alive meanwhile. A tree does not change while it is borrowed.
@safe enum TermContent {
    case integer(Int)
    /// The two words of an atom that is stored inline.
    case atom(low: UInt64, high: UInt64)
    case float(Double)
    case binary(UnsafeBufferPointer<UInt8>)
    case tuple(UnsafeBufferPointer<Term>)
    case list(UnsafeBufferPointer<Term>)
    /// A list that is kept as integers.
    case integers(UnsafeBufferPointer<Int>)
    /// Keys and values in turn.
    case map(UnsafeBufferPointer<Term>)
    /// A pid whose node name is stored inline.
    case pid(nodeLow: UInt64, nodeHigh: UInt64, id: UInt32, serial: UInt32, creation: UInt32)
    /// A rare term. The caller looks at the term itself.
    case other

    /// The contents of a term in memory. It calls no code that the compiler cannot see, so the
    /// compiler can drop the reference counting of what is bound.
    @inline(__always)
    init(of term: UnsafePointer<Term>) {
        switch unsafe term.pointee {
        case .integer(let value): self = .integer(value)
        case .float(let value): self = .float(value)
        case .atom(let atom):
            guard case .inline(let low, let first, let second, let third) = atom.storage else {
                self = .other
                return
            }
            self = .atom(low: low, high: Atom.highWord(first, second, third))
        case .binary(let binary): self = unsafe .binary(binary.place)
        case .tuple(let elements):
            self = unsafe .tuple(elements.withUnsafeBufferPointer { unsafe $0 })
        case .list(let elements):
            switch elements.storage {
            case .terms(let terms):
                self = unsafe .list(terms.withUnsafeBufferPointer { unsafe $0 })
            case .integers(let integers):
                self = unsafe .integers(integers.withUnsafeBufferPointer { unsafe $0 })
            }
        case .map(let map):
            self = unsafe .map(map.terms.withUnsafeBufferPointer { unsafe $0 })
        case .pid(let pid):
            guard case .inline(let low, let first, let second, let third) = pid.node.storage else {
                self = .other
                return
            }
            self = .pid(
                nodeLow: low, nodeHigh: Atom.highWord(first, second, third), id: pid.id,
                serial: pid.serial, creation: pid.creation)
        case .bigInteger, .bitstring, .improperList, .port, .reference, .record, .fun,
            .export:
            self = .other
        }
    }
}
