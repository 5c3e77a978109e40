internal import ExternalTermFormat
internal import Transport

/// Replaces atoms that the peer has been told once by their index: the other side of ``AtomCache``.
///
/// It works on bytes that ``TermEncoder`` has just written, so that nodes without a cache pay
/// nothing for it.
///
/// Source: "Distribution Header", erl_ext_dist.
struct SentAtomCache {
    /// The message's references, as the header holds them, and its terms with references in them.
    struct Message: Equatable {
        /// The count, the flags and the references.
        var references: [UInt8]
        var content: [UInt8]
        /// How many bytes of it the control message has.
        var controlByteCount: Int
    }

    private struct Slot {
        var name: ArraySlice<UInt8> = []
        /// The message that refers to it last, and by what number.
        var message: UInt64 = 0
        var reference: UInt8 = 0
    }

    /// 8 segments of 256 atoms.
    private static let slotCount = 8 * 256
    /// References in one message; further atoms are written out.
    private static let maximumReferences = 255

    private var slots = [Slot](repeating: Slot(), count: slotCount)
    private var message: UInt64 = 0

    /// Forgets all atoms. It is called when a message was encoded and then not sent.
    mutating func removeAll() {
        slots = [Slot](repeating: Slot(), count: Self.slotCount)
    }

    /// Puts references in the place of atoms.
    /// - Parameter content: whole terms without version numbers, the control message first.
    mutating func replaceAtoms(in content: [UInt8], controlByteCount: Int) -> Message {
        message += 1
        var rewriting = Rewriting(content)
        var newControlByteCount = 0
        while rewriting.position < content.count {
            if rewriting.position == controlByteCount {
                newControlByteCount = rewriting.output.count
            }
            step(&rewriting)
        }
        if controlByteCount == content.count { newControlByteCount = rewriting.output.count }
        return Message(
            references: rewriting.header(), content: rewriting.output,
            controlByteCount: newControlByteCount)
    }

    /// One tag with what belongs to it. Elements of tuples, lists and maps are tags of their own.
    private mutating func step(_ rewriting: inout Rewriting) {
        let tag = rewriting.byte(at: 0)
        switch tag {
        case 119: atom(&rewriting)
        case 97: rewriting.copy(2)
        case 98, 105, 108, 116: rewriting.copy(5)
        case 70: rewriting.copy(9)
        case 104: rewriting.copy(2)
        case 106: rewriting.copy(1)
        case 107, 118: rewriting.copy(3 + rewriting.number(at: 1, width: 2))
        case 109: rewriting.copy(5 + rewriting.number(at: 1, width: 4))
        case 77: rewriting.copy(6 + rewriting.number(at: 1, width: 4))
        case 110: rewriting.copy(3 + rewriting.number(at: 1, width: 1))
        case 111: rewriting.copy(6 + rewriting.number(at: 1, width: 4))
        // Its size counts its bytes: it stays as it is.
        case 112: rewriting.copy(1 + rewriting.number(at: 1, width: 4))
        case 113: rewriting.copy(1)
        case 67: rewriting.copy(6)
        case 88, 120: node(&rewriting, head: 1, tail: 12)
        case 89: node(&rewriting, head: 1, tail: 8)
        case 90:
            let words = rewriting.number(at: 1, width: 2)
            node(&rewriting, head: 3, tail: 4 + 4 * words)
        default: preconditionFailure("The encoder writes no tag \(tag)")
        }
    }

    /// An identifier: some bytes, its node's name, some bytes.
    private mutating func node(_ rewriting: inout Rewriting, head: Int, tail: Int) {
        rewriting.copy(head)
        step(&rewriting)
        rewriting.copy(tail)
    }

    private mutating func atom(_ rewriting: inout Rewriting) {
        let length = rewriting.number(at: 1, width: 1)
        let name = rewriting.bytes(at: 2, count: length)
        var hash: UInt32 = 2_166_136_261
        for byte in name { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let index = Int((hash ^ hash >> 16) % UInt32(Self.slotCount))
        let isKnown = slots[index].message > 0 && slots[index].name == name
        if slots[index].message == message {
            // Two atoms of one slot: the message can refer to one of them only.
            guard isKnown else { return rewriting.copy(2 + length) }
        } else {
            guard rewriting.referenceCount < Self.maximumReferences else {
                return rewriting.copy(2 + length)
            }
            slots[index].reference = rewriting.add(slot: index, name: isKnown ? nil : name)
            slots[index].message = message
            if !isKnown { slots[index].name = ArraySlice(Array(name)) }
        }
        rewriting.replace(2 + length, by: [82, slots[index].reference])
    }
}

/// A message's bytes on their way from one form to the other.
private struct Rewriting {
    let input: [UInt8]
    var position = 0
    var output: [UInt8] = []
    private var flags: [UInt8] = []
    private var entries: [UInt8] = []

    init(_ input: [UInt8]) {
        self.input = input
        output.reserveCapacity(input.count)
    }

    var referenceCount: Int { flags.count }

    func byte(at offset: Int) -> UInt8 { input[position + offset] }

    func bytes(at offset: Int, count: Int) -> ArraySlice<UInt8> {
        input[(position + offset)..<(position + offset + count)]
    }

    func number(at offset: Int, width: Int) -> Int {
        bytes(at: offset, count: width).reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func copy(_ count: Int) {
        output += bytes(at: 0, count: count)
        position += count
    }

    mutating func replace(_ count: Int, by bytes: [UInt8]) {
        output += bytes
        position += count
    }

    /// Adds a reference, with the atom's name when the peer does not know it.
    /// - Returns: its number in this message.
    mutating func add(slot: Int, name: ArraySlice<UInt8>?) -> UInt8 {
        let number = UInt8(flags.count)
        flags.append(UInt8(slot >> 8) | (name == nil ? 0 : 8))
        entries.append(UInt8(slot & 0xFF))
        if let name {
            entries.append(UInt8(name.count))
            entries += name
        }
        return number
    }

    /// The count, a nibble of flags per reference and one for all, the entries.
    func header() -> [UInt8] {
        guard !flags.isEmpty else { return [0] }
        var header = [UInt8(flags.count)]
        for index in stride(from: 0, through: flags.count, by: 2) {
            let low = index < flags.count ? flags[index] : 0
            let high = index + 1 < flags.count ? flags[index + 1] : 0
            header.append(low | high << 4)
        }
        return header + entries
    }
}
