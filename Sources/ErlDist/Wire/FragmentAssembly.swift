internal import ExternalTermFormat
internal import Transport

/// Joins the fragments of messages, within limits on bytes, sequences and time.
///
/// Fragment numbers count down to 1; fragments of different sequences may be mixed.
///
/// Source: "Distribution Header for fragmented messages", erl_ext_dist.
struct FragmentAssembly {
    struct Limits: Equatable, Sendable {
        /// Messages that may be unfinished at the same time.
        var sequences = 1024
        /// How many bytes one message may have, with the names of its atoms.
        var messageByteCount = 64 << 20
        /// How many bytes all unfinished messages may have together. The fragments of messages that
        /// a peer sends at the same time are mixed, so that none of many large ones is whole before
        /// nearly all are.
        var byteCount = 256 << 20
        /// How long a message may wait for its next fragment.
        var deadline: Duration = .seconds(60)
    }

    struct Whole: Equatable {
        var bytes: [UInt8]
        var atoms: [Atom]
    }

    private struct Sequence {
        var bytes: [UInt8]
        var atoms: [Atom]
        /// How many bytes were counted for `atoms`.
        var atomByteCount: Int
        /// The number that the next fragment must have.
        var next: UInt64
        var deadline: MonotonicTime
    }

    /// How many bytes may be reserved at a first fragment: enough for a message with 1 MiB.
    private static let reservedByteCount = 17 << 16

    private let limits: Limits
    private var sequences: [UInt64: Sequence] = [:]
    private(set) var byteCount = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes a sequence's first fragment, which holds the atoms and the control message.
    mutating func begin(
        sequence: UInt64, fragment: UInt64, atoms: [Atom], bytes: Span<UInt8>,
        now: MonotonicTime
    ) throws(ProtocolViolation) -> Whole? {
        guard fragment >= 1, sequences[sequence] == nil else {
            throw .unexpectedFragment(sequence: sequence, fragment: fragment)
        }
        if fragment == 1 {
            var whole: [UInt8] = []
            whole.append(bytes)
            return Whole(bytes: whole, atoms: atoms)
        }
        guard sequences.count < limits.sequences else {
            throw .tooManyFragmentSequences(maximum: limits.sequences)
        }
        // A few bytes of references can mean up to 255 atoms of 1,020 bytes. Those live as long as
        // the sequence, even when the cache forgets them.
        let atomByteCount = atoms.reduce(0) { $0 + $1.name.utf8.count }
        try count(bytes.count + atomByteCount, of: bytes.count + atomByteCount)
        var whole: [UInt8] = []
        // Growing the array would copy it again and again. The reserved memory is small, whatever
        // the peer claims.
        if fragment < Self.reservedByteCount, bytes.count < Self.reservedByteCount {
            whole.reserveCapacity(min(bytes.count * Int(fragment), Self.reservedByteCount))
        }
        whole.append(bytes)
        sequences[sequence] = Sequence(
            bytes: whole, atoms: atoms, atomByteCount: atomByteCount, next: fragment - 1,
            deadline: now + limits.deadline)
        return nil
    }

    /// Takes a sequence's next fragment.
    /// - Returns: the whole message, if this was its last fragment.
    mutating func `continue`(
        sequence: UInt64, fragment: UInt64, bytes: Span<UInt8>, now: MonotonicTime
    ) throws(ProtocolViolation) -> Whole? {
        guard let index = sequences.index(forKey: sequence),
            sequences.values[index].next == fragment
        else { throw .unexpectedFragment(sequence: sequence, fragment: fragment) }
        let former = sequences.values[index]
        try count(
            bytes.count, of: former.bytes.count + former.atomByteCount + bytes.count)
        sequences.values[index].bytes.append(bytes)
        sequences.values[index].next -= 1
        sequences.values[index].deadline = now + limits.deadline
        guard fragment == 1 else { return nil }
        let finished = sequences.remove(at: index).value
        byteCount -= finished.bytes.count + finished.atomByteCount
        return Whole(bytes: finished.bytes, atoms: finished.atoms)
    }

    /// Throws when a sequence has waited too long for its next fragment.
    func check(now: MonotonicTime) throws(ProtocolViolation) {
        for (sequence, state) in sequences where state.deadline <= now {
            throw .unfinishedFragments(sequence: sequence)
        }
    }

    /// Counts bytes that are added to a message, which then has `messageByteCount`.
    private mutating func count(
        _ added: Int, of messageByteCount: Int
    ) throws(ProtocolViolation) {
        guard messageByteCount <= limits.messageByteCount else {
            throw .messageTooLong(byteCount: messageByteCount)
        }
        byteCount += added
        guard byteCount <= limits.byteCount else { throw .fragmentsTooLong(byteCount: byteCount) }
    }
}
