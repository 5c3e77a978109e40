/// Writes to memory in machine words.
///
/// The caller counts the bytes first and allocates that many, and ``slack`` bytes more. A short
/// item is written as whole words, and the next item overwrites the excess of the last word. Writes
/// are not checked one by one; ``TermEncoder`` checks at the end whether the count was right.
@safe struct ByteSink: ~Copyable {
    private let start: UnsafeMutableRawPointer
    /// How many bytes have been written.
    private(set) var count = 0
    /// Longer binaries are left out.
    private let longestCopied: Int
    /// The binaries that were left out, and where they belong.
    private(set) var leftOut: [TermEncoder.LeftOut] = []

    /// How many bytes a write may touch after its end. An empty atom touches most: both of its
    /// words.
    static let slack = 16

    /// - Precondition: `start` has room for all that is written, and for the slack.
    init(_ start: UnsafeMutableRawPointer, copyingUpTo longestCopied: Int = .max) {
        unsafe self.start = start
        self.longestCopied = longestCopied
    }

    /// Stores a word at a distance from the end.
    @inline(__always)
    private func store<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word, at distance: Int) {
        unsafe start.storeBytes(of: word, toByteOffset: count &+ distance, as: Word.self)
    }

    /// Appends a number, the most significant byte first.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word) {
        store(word.bigEndian, at: 0)
        count &+= MemoryLayout<Word>.size
    }

    /// Appends a byte and a number.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ tag: UInt8, _ word: Word) {
        store(tag, at: 0)
        store(word.bigEndian, at: 1)
        count &+= 1 &+ MemoryLayout<Word>.size
    }

    /// Appends two bytes and the first `byteCount`, up to 16, of two little-endian words.
    @inline(__always)
    mutating func append(_ tag: UInt8, _ second: UInt8, low: UInt64, high: UInt64, byteCount: Int) {
        store(UInt16(tag) | UInt16(second) &<< 8, at: 0)
        store(low.littleEndian, at: 2)
        store(high.littleEndian, at: 10)
        count &+= 2 &+ byteCount
    }

    /// Appends bytes as they are.
    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if let from = bytes.baseAddress {
            unsafe (start + count).copyMemory(from: from, byteCount: bytes.count)
        }
        count &+= bytes.count
    }

    /// Appends the bytes of a binary, or leaves them out.
    /// - Parameter term: the binary.
    mutating func appendContent(
        _ bytes: UnsafeBufferPointer<UInt8>, of term: UnsafePointer<Term>
    ) {
        if bytes.count <= longestCopied {
            unsafe append(UnsafeRawBufferPointer(bytes))
        } else {
            unsafe leaveOut(term.pointee)
        }
    }

    @inline(never)
    private mutating func leaveOut(_ term: Term) {
        guard case .binary(let binary) = term else { preconditionFailure("It is a binary") }
        leftOut.append(TermEncoder.LeftOut(offset: count, binary: binary))
    }

    /// Appends bytes as they are.
    mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe append($0) }
    }

    /// Overwrites four bytes that have been written before with a big-endian number.
    mutating func patch(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count, "Only what has been written is patched")
        store(value.bigEndian, at: offset - count)
    }
}
