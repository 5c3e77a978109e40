/// How much a peer may make the decoder do.
public struct DecodingLimits: Sendable, Equatable {
    /// How many containers (lists, tuples, maps, funs) may be inside each other.
    ///
    /// The default keeps every recursion over a decoded term, from decoding to the release of its memory,
    /// within a thread's stack of 512 KiB, even in a debug build with the address sanitizer.
    public var maximumDepth: Int
    /// How many terms one term may consist of, each element of a list or string counted.
    ///
    /// A term takes two words at least, so this bounds the memory that a few bytes can ask for.
    public var maximumTerms: Int
    /// How many elements of a string, or of a list of small integers, count as one term: they take eight bytes
    /// each and no time worth mentioning.
    public var integersPerTerm: Int
    /// Whether a term that takes more time than others counts more: 64 bytes of a large integer, an atom, a
    /// binary or bits that are copied count as one more.
    public var countsBytes: Bool
    /// How many bytes a compressed term may inflate to.
    public var maximumByteCount: Int
    /// Whether a compressed term (tag 80) is accepted at all. Real nodes accept none inside distribution messages.
    public var allowsCompressed: Bool

    /// Limits that hold a peer to some hundred megabytes, unless others are given.
    public init(
        maximumDepth: Int = 128, maximumTerms: Int = 4_194_304, maximumByteCount: Int = 67_108_864,
        allowsCompressed: Bool = true, integersPerTerm: Int = 1, countsBytes: Bool = false
    ) {
        precondition(integersPerTerm > 0, "An integer counts for something")
        self.integersPerTerm = integersPerTerm
        self.countsBytes = countsBytes
        self.maximumDepth = maximumDepth
        self.maximumTerms = maximumTerms
        self.maximumByteCount = maximumByteCount
        self.allowsCompressed = allowsCompressed
    }

    /// For data at rest, as `binary_to_term/1` reads it.
    public static let `default` = DecodingLimits()
    /// For distribution traffic: no compressed terms, and as many terms as are read and released again in less
    /// than 50 ms, whatever they are.
    public static let distribution = DecodingLimits(
        maximumTerms: 262_144, allowsCompressed: false, integersPerTerm: 8, countsBytes: true)
    /// For the answers to whoever asks for them and waits: no compressed terms.
    public static let answers = DecodingLimits(allowsCompressed: false)
}
