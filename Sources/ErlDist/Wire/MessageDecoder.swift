internal import ExternalTermFormat
internal import Transport

/// Reads control messages with their payloads from frames, in the form that both sides agreed on.
///
/// With fragments or an atom cache every frame begins `131, 68|69|70` and the terms have no version
/// number. With neither a frame begins with 112, and each term has a version number. OTP closes the
/// connection when a frame has the other form, and so does this.
///
/// Source: "Protocol between Connected Nodes", erl_dist_protocol; "Distribution Header",
/// erl_ext_dist.
struct MessageDecoder {
    /// The form of frames.
    enum Form: Equatable, Sendable {
        case passThrough
        case header

        init(_ flags: DistributionFlags) {
            self = flags.isDisjoint(with: [.headerAtomCache, .fragments]) ? .passThrough : .header
        }
    }

    let form: Form
    /// The byte count of the last message, all fragments included.
    private(set) var messageByteCount = 0
    private var atomCache = AtomCache()
    private var fragments: FragmentAssembly
    private let termLimits: DecodingLimits

    init(
        form: Form, fragmentLimits: FragmentAssembly.Limits = .init(),
        termLimits: DecodingLimits = .distribution
    ) {
        self.form = form
        self.fragments = FragmentAssembly(limits: fragmentLimits)
        self.termLimits = termLimits
    }

    /// The message in a frame that is not empty; `nil` when the frame is a fragment and more
    /// follow.
    /// - Parameter owner: the array whose span the frame is, if large binaries may share it.
    mutating func decode(
        _ frame: Span<UInt8>, sharing owner: [UInt8]? = nil, now: MonotonicTime
    ) throws(ProtocolViolation) -> ControlMessage? {
        precondition(!frame.isEmpty, "A tick is no message")
        messageByteCount = frame.count
        let tag = frame[0]
        switch form {
        case .passThrough:
            guard tag == Self.passThroughTag else { throw .unexpectedFrame(tag: tag) }
            return try message(frame, at: 1, owner, areVersioned: true)
        case .header:
            guard tag == Tag.version else { throw .unexpectedFrame(tag: tag) }
            return try decodeHeader(frame, owner, now: now)
        }
    }

    /// The bytes of unfinished messages and of the names in the atom cache.
    var heldByteCount: Int { fragments.byteCount + atomCache.byteCount }

    /// - Throws: ``ProtocolViolation/unfinishedFragments(sequence:)``.
    func check(now: MonotonicTime) throws(ProtocolViolation) {
        try fragments.check(now: now)
    }

    static let passThroughTag: UInt8 = 112
    static let headerTag: UInt8 = 68
    static let firstFragmentTag: UInt8 = 69
    static let fragmentTag: UInt8 = 70

    private mutating func decodeHeader(
        _ frame: Span<UInt8>, _ owner: [UInt8]?, now: MonotonicTime
    ) throws(ProtocolViolation) -> ControlMessage? {
        guard frame.count >= 2 else { throw .truncatedHeader }
        let tag = frame[1]
        var position = 2
        let whole: FragmentAssembly.Whole?
        switch tag {
        case Self.headerTag:
            let atoms = try atomCache.readReferences(frame, at: &position)
            return try message(frame, at: position, owner, atoms: atoms, areVersioned: false)
        case Self.firstFragmentTag:
            let (sequence, fragment) = try Self.identifiers(frame, &position)
            let atoms = try atomCache.readReferences(frame, at: &position)
            whole = try fragments.begin(
                sequence: sequence, fragment: fragment, atoms: atoms,
                bytes: frame.extracting(position...), now: now)
        case Self.fragmentTag:
            let (sequence, fragment) = try Self.identifiers(frame, &position)
            whole = try fragments.continue(
                sequence: sequence, fragment: fragment, bytes: frame.extracting(position...),
                now: now)
        default:
            throw .unexpectedFrame(tag: tag)
        }
        guard let whole else { return nil }
        messageByteCount = whole.bytes.count
        return try message(
            whole.bytes.span, at: 0, whole.bytes, atoms: whole.atoms, areVersioned: false)
    }

    private static func identifiers(
        _ frame: Span<UInt8>, _ position: inout Int
    ) throws(ProtocolViolation) -> (sequence: UInt64, fragment: UInt64) {
        guard let sequence = frame.bigEndian(at: position, as: UInt64.self),
            let fragment = frame.bigEndian(at: position + 8, as: UInt64.self)
        else { throw .truncatedHeader }
        position += 16
        return (sequence, fragment)
    }

    /// The control message from `position` on, with its payload if there are bytes left.
    private func message(
        _ bytes: Span<UInt8>, at position: Int, _ owner: [UInt8]?, atoms: [Atom] = [],
        areVersioned: Bool
    ) throws(ProtocolViolation) -> ControlMessage {
        var decoder = TermDecoder(at: position, limits: termLimits, atoms: atoms, sharing: owner)
        let control: Term
        var payload: Term?
        do throws(TermError) {
            if areVersioned { try decoder.versionByte(bytes) }
            control = try decoder.term(bytes)
            if decoder.offset < bytes.count {
                if areVersioned { try decoder.versionByte(bytes) }
                payload = try decoder.term(bytes)
            }
            guard decoder.offset == bytes.count else {
                throw .trailingBytes(count: bytes.count - decoder.offset)
            }
        } catch {
            throw .invalidTerm(error)
        }
        return try ControlMessage(control, payload: payload)
    }
}
