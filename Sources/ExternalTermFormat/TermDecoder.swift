/// Reads terms one after the other from the bytes of one distribution frame.
///
/// ```swift
/// var decoder = TermDecoder(at: headerByteCount, atoms: header.atoms)
/// let control = try decoder.term(frame)
/// let payload = decoder.offset < frame.count ? try decoder.term(frame) : nil
/// ```
/// Every read takes the bytes as an argument, the same each time: a type that stores a span cannot
/// leave the function that made it. After an error the position has no meaning. The limits apply to
/// each term separately.
///
/// Source: "External Term Format", erl_ext_dist.
public struct TermDecoder: Sendable {
    private var parser: TermParser

    /// A decoder at the byte `offset`.
    /// - Parameters:
    ///   - atoms: the atoms that this frame's references to the atom cache (tag 82) mean, by index.
    ///   - owner: the array whose span is read. Large binaries then share it instead of being
    ///     copied.
    /// - Precondition: `offset` is not negative.
    public init(
        at offset: Int = 0, limits: DecodingLimits = .distribution, atoms: [Atom] = [],
        sharing owner: [UInt8]? = nil
    ) {
        precondition(offset >= 0, "A decoder starts within its bytes")
        parser = TermParser(offset: offset, limits: limits, atoms: atoms, owner: owner)
    }

    /// The byte that is read next.
    public var offset: Int { parser.reader.offset }

    /// Reads the version number 131.
    public mutating func versionByte(_ bytes: Span<UInt8>) throws(TermError) {
        let version = try parser.reader.uint8(bytes)
        guard version == Tag.version else { throw .unexpectedVersion(version) }
    }

    /// Reads one term without a version number.
    public mutating func term(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        assert(parser.owner.map { $0.count == bytes.count } ?? true, "It is the owner's span")
        return try parser.topLevelTerm(bytes)
    }
}

extension Term {
    /// Decodes what `term_to_binary/1` writes: the version number, one term, nothing else.
    public init(
        decoding bytes: Span<UInt8>, limits: DecodingLimits = .default
    ) throws(TermError) {
        self = try Self.decoded(bytes, owner: nil, limits)
    }

    /// Decodes what `term_to_binary/1` writes: the version number, one term, nothing else.
    ///
    /// A binary that makes up most of the bytes is not copied, and keeps them in memory.
    public init(decoding bytes: [UInt8], limits: DecodingLimits = .default) throws(TermError) {
        self = try Self.decoded(bytes.span, owner: bytes, limits)
    }

    /// Decodes what `term_to_binary/1` writes: the version number, one term, nothing else.
    public init(
        decoding bytes: ArraySlice<UInt8>, limits: DecodingLimits = .default
    ) throws(TermError) {
        self = try Self.decoded(bytes.span, owner: nil, limits)
    }

    private static func decoded(
        _ bytes: Span<UInt8>, owner: [UInt8]?, _ limits: DecodingLimits
    ) throws(TermError) -> Term {
        var parser = TermParser(offset: 0, limits: limits, owner: owner)
        let version = try parser.reader.uint8(bytes)
        guard version == Tag.version else { throw .unexpectedVersion(version) }
        let term = try parser.topLevelTerm(bytes)
        let unused = parser.reader.remaining(in: bytes)
        guard unused == 0 else { throw .trailingBytes(count: unused) }
        return term
    }
}
