public import ExternalTermFormat

/// How a connected peer broke the protocol, or exceeded a limit of this node. The node closes the
/// connection, as OTP does after a violation.
public enum ProtocolViolation: Error, Equatable, Sendable, CustomStringConvertible {
    case frameTooLong(byteCount: Int)
    /// A message in fragments is longer than is accepted.
    case messageTooLong(byteCount: Int)
    /// A frame has a form that the sides did not agree on.
    case unexpectedFrame(tag: UInt8)
    case truncatedHeader
    /// An atom cache reference was never defined, or an atom is not UTF-8.
    case invalidAtomCache
    /// A fragment is out of order, or belongs to an unknown sequence or to one that has begun
    /// already.
    case unexpectedFragment(sequence: UInt64, fragment: UInt64)
    case tooManyFragmentSequences(maximum: Int)
    case fragmentsTooLong(byteCount: Int)
    /// The next fragment of a message did not come in time.
    case unfinishedFragments(sequence: UInt64)
    case invalidTerm(TermError)
    /// A control message is not a tuple, has the wrong shape, or lacks its payload.
    case invalidControlMessage(Term)
    case unknownOperation(Int)

    /// Whether the peer has kept to the protocol, and only a limit of this node is in the way.
    public var isOwnLimit: Bool {
        switch self {
        case .frameTooLong, .messageTooLong, .tooManyFragmentSequences, .fragmentsTooLong,
            .unfinishedFragments:
            true
        case .invalidTerm(let error): error.isOwnLimit
        case .unexpectedFrame, .truncatedHeader, .invalidAtomCache, .unexpectedFragment,
            .invalidControlMessage, .unknownOperation:
            false
        }
    }

    public var description: String {
        switch self {
        case .frameTooLong(let count): "a frame of \(count) bytes is longer than is accepted"
        case .messageTooLong(let count):
            "a message of \(count) bytes or more is longer than is accepted"
        case .unexpectedFrame(let tag): "a frame of type \(tag) was not agreed on"
        case .truncatedHeader: "a distribution header is cut short"
        case .invalidAtomCache: "an atom cache reference stands for nothing"
        case .unexpectedFragment(let sequence, let fragment):
            "fragment \(fragment) of sequence \(sequence) is out of order"
        case .tooManyFragmentSequences(let maximum):
            "more than \(maximum) fragmented messages are unfinished"
        case .fragmentsTooLong(let count):
            "unfinished fragmented messages of \(count) bytes are more than is accepted"
        case .unfinishedFragments(let sequence):
            "the fragmented message \(sequence) was not finished in time"
        // The key may be as long as the message.
        case .invalidTerm(.repeatedKey): "a term cannot be read: a map has a key twice"
        case .invalidTerm(let error): "a term cannot be read: \(error)"
        case .invalidControlMessage: "a control message has an unknown shape"
        case .unknownOperation(let code): "the control operation \(code) is unknown"
        }
    }
}
