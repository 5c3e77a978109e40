/// Why bytes are not an acceptable external term. Each case carries what was seen.
public enum TermError: Error, Equatable, Sendable {
    /// The bytes end inside a term, or a count promises more elements than there are bytes left.
    case truncated
    /// The bytes do not start with the version number 131.
    case unexpectedVersion(UInt8)
    /// A tag that is unknown, obsolete (117), local to a node (121), or not allowed where it stands.
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
    /// An atom has more characters than ``Atom/maximumLength``.
    case atomTooLong(byteCount: Int)
    /// A reference to the atom cache that the message's header does not define.
    case unknownAtomReference(Int)
    /// A float that is infinite, not a number, or not written as one.
    case invalidFloat
    /// A reference of a number of words that is not 1 to 5.
    case invalidReference(wordCount: Int)
    /// A bitstring whose last byte has an impossible number of bits.
    case invalidBitstring(lastBitCount: UInt8)
    /// A fun whose old index or old uniq is not a small integer.
    case invalidFun
    /// A map with this key twice.
    case repeatedKey(Term)
    /// Maps whose keys are containers, nested so that looking for repeated keys would take very long.
    case keysTooComplex
    /// A compressed term where ``DecodingLimits/allowsCompressed`` is false.
    case compressedNotAllowed
    /// Compressed data that zlib rejects.
    case invalidCompression
    /// Compressed data that inflates to another size than it promises.
    case unexpectedInflatedSize(promised: Int, found: Int)
}
