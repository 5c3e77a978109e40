/// Reads terms one after the other from the bytes of one distribution frame.
///
/// ```swift
/// var decoder = TermDecoder(frame, at: headerByteCount, atoms: header.atoms)
/// let control = try decoder.term()
/// let payload = decoder.remaining > 0 ? try decoder.term() : nil
/// ```
/// After an error its position means nothing. Each ``term()`` has the whole of the limits to itself.
///
/// Source: "External Term Format", erl_ext_dist.
public struct TermDecoder: Sendable {
    private let bytes: [UInt8]
    private var parser: TermParser

    /// A decoder at the byte `offset` of `bytes`.
    /// - Parameter atoms: what the atom cache references (tag 82) of this frame stand for, by index.
    /// - Precondition: `offset` is within the bytes or at their end.
    public init(
        _ bytes: [UInt8], at offset: Int = 0, limits: DecodingLimits = .distribution,
        atoms: [Atom] = []
    ) {
        precondition((0...bytes.count).contains(offset), "A decoder starts within its bytes")
        self.bytes = bytes
        self.parser = TermParser(offset: offset, limits: limits, atoms: atoms)
    }

    /// The byte that is read next.
    public var offset: Int { parser.reader.offset }

    /// How many bytes are left.
    public var remaining: Int { bytes.count - offset }

    /// Reads the version number 131.
    public mutating func versionByte() throws(TermError) {
        let bytes = bytes
        let version = try parser.reader.uint8(bytes.span)
        guard version == Tag.version else { throw .unexpectedVersion(version) }
    }

    /// Reads one term without a version number.
    public mutating func term() throws(TermError) -> Term {
        let bytes = bytes
        return try parser.topLevelTerm(bytes.span)
    }
}

extension Term {
    /// The term that `term_to_binary/1` made these bytes of: the version number, one term, nothing else.
    public init(
        decoding bytes: Span<UInt8>, limits: DecodingLimits = .default
    ) throws(TermError) {
        var parser = TermParser(offset: 0, limits: limits)
        let version = try parser.reader.uint8(bytes)
        guard version == Tag.version else { throw .unexpectedVersion(version) }
        self = try parser.topLevelTerm(bytes)
        let unused = parser.reader.remaining(in: bytes)
        guard unused == 0 else { throw .trailingBytes(count: unused) }
    }

    /// The term that `term_to_binary/1` made these bytes of: the version number, one term, nothing else.
    public init(decoding bytes: [UInt8], limits: DecodingLimits = .default) throws(TermError) {
        try self.init(decoding: bytes.span, limits: limits)
    }

    /// The term that `term_to_binary/1` made these bytes of: the version number, one term, nothing else.
    public init(
        decoding bytes: ArraySlice<UInt8>, limits: DecodingLimits = .default
    ) throws(TermError) {
        try self.init(decoding: bytes.span, limits: limits)
    }
}
