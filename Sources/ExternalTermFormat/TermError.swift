/// Why bytes are not an acceptable external term. Each case carries what was seen.
public enum TermError: Error, Equatable, Sendable {
    /// The bytes end inside a term, or a count promises more elements than there are bytes left.
    case truncated
    /// The bytes do not start with the version number 131.
    case unexpectedVersion(UInt8)
    /// A tag that is unknown, obsolete (117), valid in one node only (121), or not allowed at this
    /// place.
    case unexpectedTag(UInt8)
    /// Containers are nested deeper than ``DecodingLimits/maximumDepth``.
    case tooDeep(maximum: Int)
    /// The term has more parts than ``DecodingLimits/maximumTerms``.
    case tooManyTerms(maximum: Int)
    /// A compressed term promises more bytes than ``DecodingLimits/maximumByteCount``.
    case tooLong(byteCount: Int, maximum: Int)
    /// Bytes are left after the term.
    case trailingBytes(count: Int)
    /// An atom's name is not UTF-8.
    case invalidAtom
    /// An atom's name has more characters than ``Atom/maximumLength``.
    case atomTooLong(byteCount: Int)
    /// A reference to the atom cache is not defined in the message's header.
    case unknownAtomReference(Int)
    /// A float is infinite, not a number, or not written as a number.
    case invalidFloat
    /// A reference does not have 1 to 5 words.
    case invalidReference(wordCount: Int)
    /// A bitstring's last byte has an impossible number of bits.
    case invalidBitstring(lastBitCount: UInt8)
    /// A fun's old index or old uniq is not a small integer.
    case invalidFun
    /// A map contains this key twice.
    case repeatedKey(Term)
    /// The keys of maps are containers, nested so that looking for repeated keys would take very
    /// long.
    case keysTooComplex
    /// There is a compressed term, but ``DecodingLimits/allowsCompressed`` is false.
    case compressedNotAllowed
    /// zlib rejects the compressed data.
    case invalidCompression
    /// The compressed data inflates to another size than it promises.
    case unexpectedInflatedSize(promised: Int, found: Int)

    /// Whether the bytes are a term, and only a limit of this side is in the way.
    public var isOwnLimit: Bool {
        switch self {
        case .tooDeep, .tooManyTerms, .tooLong, .keysTooComplex: true
        case .truncated, .unexpectedVersion, .unexpectedTag, .trailingBytes, .invalidAtom,
            .atomTooLong, .unknownAtomReference, .invalidFloat, .invalidReference,
            .invalidBitstring, .invalidFun, .repeatedKey, .compressedNotAllowed,
            .invalidCompression, .unexpectedInflatedSize:
            false
        }
    }
}
