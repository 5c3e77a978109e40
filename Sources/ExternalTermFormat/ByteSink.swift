/// A growing buffer that is written in machine words.
///
/// Behind what has been written there are always ``slack`` bytes of room, so that a short item is written with
/// whole words and one check, and the next item overwrites what the last word had too much. The memory is its own:
/// writes into an array would ask each time whether the array is shared, which takes longer than the write. It is
/// safe because no write goes behind the slack, and the slack is restored after each.
@safe struct ByteSink: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    /// How many bytes have been written.
    private(set) var count = 0

    /// Room for a tag, a length and the two words of an atom.
    private static let slack = 24

    init() {
        capacity = 256
        unsafe start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        unsafe start.deallocate()
    }

    /// What has been written.
    var bytes: [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Appends what has been written to an array.
    func append(to bytes: inout [UInt8]) {
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Takes so many bytes as written and restores the slack behind them.
    @inline(__always)
    private mutating func advance(by byteCount: Int) {
        count &+= byteCount
        if capacity &- count < Self.slack { grow(for: 0) }
    }

    /// Makes room for so many bytes and the slack behind them, at least twice what there was.
    @inline(never)
    private mutating func grow(for byteCount: Int) {
        capacity = max(capacity * 2, count + byteCount + Self.slack)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        unsafe larger.copyMemory(from: start, byteCount: count)
        unsafe start.deallocate()
        unsafe start = larger
    }

    /// Stores a word at a distance behind the end that is within the slack.
    @inline(__always)
    private func store<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word, at distance: Int) {
        unsafe start.storeBytes(of: word, toByteOffset: count &+ distance, as: Word.self)
    }

    /// Appends a number, the most significant byte first.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word) {
        store(word.bigEndian, at: 0)
        advance(by: MemoryLayout<Word>.size)
    }

    /// Appends a byte and a number.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ tag: UInt8, _ word: Word) {
        store(tag, at: 0)
        store(word.bigEndian, at: 1)
        advance(by: 1 &+ MemoryLayout<Word>.size)
    }

    /// Appends two bytes and the first `byteCount`, up to 16, of two little-endian words.
    @inline(__always)
    mutating func append(_ tag: UInt8, _ second: UInt8, low: UInt64, high: UInt64, byteCount: Int) {
        store(tag, at: 0)
        store(second, at: 1)
        store(low.littleEndian, at: 2)
        store(high.littleEndian, at: 10)
        advance(by: 2 &+ byteCount)
    }

    /// Appends bytes as they are.
    mutating func append(_ bytes: [UInt8]) {
        if capacity &- count < bytes.count + Self.slack { grow(for: bytes.count) }
        unsafe bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            unsafe (start + count).copyMemory(from: from, byteCount: source.count)
        }
        count &+= bytes.count
    }

    /// Overwrites four bytes that have been written before with a big-endian number.
    mutating func patch(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count, "Only what has been written is patched")
        store(value.bigEndian, at: offset - count)
    }
}
