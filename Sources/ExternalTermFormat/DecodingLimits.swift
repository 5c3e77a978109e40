/// How much a peer may make the decoder do.
public struct DecodingLimits: Sendable, Equatable {
    /// How deep containers (lists, tuples, maps, funs) may be nested.
    ///
    /// The default keeps every recursion over a decoded term, from decoding to the release of its
    /// memory, within a thread's stack of 512 KiB. That holds even in a debug build with the
    /// address sanitizer.
    public var maximumDepth: Int
    /// How many terms one term may contain; each element of a list or string counts.
    ///
    /// A term takes two words at least, so this bounds the memory that a few bytes can ask for.
    public var maximumTerms: Int
    /// How many elements of a string, or of a list of small integers, count as one term. Each takes
    /// eight bytes and hardly any time.
    public var integersPerTerm: Int
    /// Whether terms that take more time count more: 64 copied bytes of a large integer, an atom, a
    /// binary or a bitstring count as one more term.
    public var countsBytes: Bool
    /// How many bytes a compressed term may inflate to.
    public var maximumByteCount: Int
    /// Whether a compressed term (tag 80) is accepted. Real nodes accept none inside distribution
    /// messages.
    public var allowsCompressed: Bool

    /// By default the limits keep what a peer can use to some hundred megabytes.
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

    /// The limits for stored data, as `binary_to_term/1` reads it.
    public static let `default` = DecodingLimits()
    /// The limits for distribution traffic: no compressed terms, and at most as many terms as can
    /// be read and released in less than 50 ms, whatever they are.
    public static let distribution = DecodingLimits(
        maximumTerms: 262_144, allowsCompressed: false, integersPerTerm: 8, countsBytes: true)
    /// The limits for answers that the caller has asked for and waits for: no compressed terms.
    public static let answers = DecodingLimits(allowsCompressed: false)
}
