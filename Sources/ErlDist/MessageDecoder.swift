internal import ExternalTermFormat
internal import Transport

/// Reads control messages with their payloads from frames, in the form that both sides agreed on.
///
/// With fragments or an atom cache every frame begins `131, 68|69|70` and the terms carry no version
/// number; with neither it begins with 112 and each term has its own. OTP closes the connection when
/// the other form comes, and so does this.
///
/// Source: "Protocol between Connected Nodes", erl_dist_protocol; "Distribution Header", erl_ext_dist.
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
    /// How many bytes the last message had, those of all its fragments together.
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

    /// The message in a frame that is not empty; `nil` when it is a fragment and more follow.
    mutating func decode(
        _ bytes: [UInt8], _ frame: Range<Int>, now: MonotonicTime
    ) throws(ProtocolViolation) -> ControlMessage? {
        messageByteCount = frame.count
        guard let tag = frame.isEmpty ? nil : bytes[frame.lowerBound] else {
            preconditionFailure("A tick is no message")
        }
        switch form {
        case .passThrough:
            guard tag == Self.passThroughTag else { throw .unexpectedFrame(tag: tag) }
            return try terms(bytes, frame.dropFirst(), atoms: [], areVersioned: true)
        case .header:
            guard tag == Self.version else { throw .unexpectedFrame(tag: tag) }
            return try decodeHeader(bytes, frame, now: now)
        }
    }

    /// Whether there are unfinished fragments whose time must be watched with ``check(now:)``.
    var hasUnfinishedFragments: Bool { !fragments.isEmpty }

    /// - Throws: ``ProtocolViolation/unfinishedFragments(sequence:)``.
    func check(now: MonotonicTime) throws(ProtocolViolation) {
        try fragments.check(now: now)
    }

    static let version: UInt8 = 131
    static let passThroughTag: UInt8 = 112
    static let headerTag: UInt8 = 68
    static let firstFragmentTag: UInt8 = 69
    static let fragmentTag: UInt8 = 70

    private mutating func decodeHeader(
        _ bytes: [UInt8], _ frame: Range<Int>, now: MonotonicTime
    ) throws(ProtocolViolation) -> ControlMessage? {
        let end = frame.upperBound
        var position = frame.lowerBound + 2
        guard position <= end else { throw .truncatedHeader }
        let tag = bytes[position - 1]
        let whole: FragmentAssembly.Whole?
        switch tag {
        case Self.headerTag:
            let atoms = try atomCache.readReferences(bytes, at: &position, end: end)
            return try terms(bytes, position..<end, atoms: atoms, areVersioned: false)
        case Self.firstFragmentTag:
            let (sequence, fragment) = try Self.identifiers(bytes, &position, end)
            let atoms = try atomCache.readReferences(bytes, at: &position, end: end)
            whole = try fragments.begin(
                sequence: sequence, fragment: fragment, atoms: atoms,
                bytes: bytes[position..<end], now: now)
        case Self.fragmentTag:
            let (sequence, fragment) = try Self.identifiers(bytes, &position, end)
            whole = try fragments.continue(
                sequence: sequence, fragment: fragment, bytes: bytes[position..<end], now: now)
        default:
            throw .unexpectedFrame(tag: tag)
        }
        guard let whole else { return nil }
        messageByteCount = whole.bytes.count
        return try terms(whole.bytes, whole.bytes.indices, atoms: whole.atoms, areVersioned: false)
    }

    private static func identifiers(
        _ bytes: [UInt8], _ position: inout Int, _ end: Int
    ) throws(ProtocolViolation) -> (sequence: UInt64, fragment: UInt64) {
        guard end - position >= 16,
            let sequence = bytes.bigEndian(at: position, as: UInt64.self),
            let fragment = bytes.bigEndian(at: position + 8, as: UInt64.self)
        else { throw .truncatedHeader }
        position += 16
        return (sequence, fragment)
    }

    /// The control message at the beginning of `range`, and the payload if there are bytes left.
    private func terms(
        _ bytes: [UInt8], _ range: Range<Int>, atoms: [Atom], areVersioned: Bool
    ) throws(ProtocolViolation) -> ControlMessage {
        let control: Term
        let payload: Term?
        do throws(TermError) {
            (control, payload) = try read(bytes, range, atoms, areVersioned)
        } catch {
            guard range.upperBound < bytes.count else { throw .invalidTerm(error) }
            // What was read may have gone on into the next frame: what is wrong is told by this one alone.
            return try terms(
                Array(bytes[range]), 0..<range.count, atoms: atoms, areVersioned: areVersioned)
        }
        return try ControlMessage(control, payload: payload)
    }

    private func read(
        _ bytes: [UInt8], _ range: Range<Int>, _ atoms: [Atom], _ areVersioned: Bool
    ) throws(TermError) -> (control: Term, payload: Term?) {
        var decoder = TermDecoder(bytes, at: range.lowerBound, limits: termLimits, atoms: atoms)
        if areVersioned { try decoder.versionByte() }
        let control = try decoder.term()
        var payload: Term?
        // The bytes of the next frame follow: a term that reaches into them is cut short.
        if decoder.offset < range.upperBound {
            if areVersioned { try decoder.versionByte() }
            payload = try decoder.term()
        }
        guard decoder.offset <= range.upperBound else { throw .truncated }
        guard decoder.offset == range.upperBound else {
            throw .trailingBytes(count: range.upperBound - decoder.offset)
        }
        return (control, payload)
    }
}
