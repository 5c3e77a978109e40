/// A growing buffer that is written in machine words.
///
/// Behind what has been written there are always ``slack`` bytes of room, so that a short item is written with
/// whole words and one check, and the next item overwrites what the last word had too much.
struct ByteSink {
    /// What has been written, then room.
    private var storage: [UInt8]
    private(set) var count: Int

    /// Room for a tag, a length and the two words of an atom.
    static let slack = 24

    /// A sink that goes on after `bytes`.
    init(continuing bytes: consuming [UInt8]) {
        count = bytes.count
        storage = bytes
        grow(to: max(storage.capacity, count + Self.slack))
    }

    /// What has been written.
    consuming func finish() -> [UInt8] {
        storage.removeLast(storage.count - count)
        return storage
    }

    private mutating func grow(to size: Int) {
        // `append(contentsOf:)` makes at least twice the room when it has to move.
        storage.append(contentsOf: repeatElement(0, count: size - storage.count))
    }

    /// Makes room for so many bytes and the slack behind them.
    @inline(__always)
    private mutating func makeRoom(for byteCount: Int) {
        if storage.count - count < byteCount + Self.slack {
            grow(to: max(storage.count * 2, count + byteCount + Self.slack))
        }
    }

    /// The slack behind the end, for up to ``slack`` bytes.
    ///
    /// One access for all words of an item: each asks whether the buffer is unique.
    @inline(__always)
    private mutating func store(byteCount: Int, _ body: (inout MutableRawSpan, Int) -> Void) {
        let offset = count
        var span = storage.mutableSpan
        // Any bytes are valid ones, and bounds are checked.
        var bytes = unsafe span.mutableBytes
        body(&bytes, offset)
        count = offset &+ byteCount
        makeRoom(for: 0)
    }

    /// Appends a number, the most significant byte first.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word) {
        store(byteCount: MemoryLayout<Word>.size) { bytes, offset in
            bytes.storeBytes(of: word.bigEndian, toByteOffset: offset, as: Word.self)
        }
    }

    /// Appends a byte and a number.
    @inline(__always)
    mutating func append<Word: FixedWidthInteger & BitwiseCopyable>(_ tag: UInt8, _ word: Word) {
        store(byteCount: 1 &+ MemoryLayout<Word>.size) { bytes, offset in
            bytes.storeBytes(of: tag, toByteOffset: offset, as: UInt8.self)
            bytes.storeBytes(of: word.bigEndian, toByteOffset: offset &+ 1, as: Word.self)
        }
    }

    /// Appends two bytes and the first `byteCount` of two little-endian words.
    @inline(__always)
    mutating func append(_ tag: UInt8, _ second: UInt8, low: UInt64, high: UInt64, byteCount: Int) {
        let head = UInt16(tag) | UInt16(second) &<< 8
        store(byteCount: 2 &+ byteCount) { bytes, offset in
            bytes.storeBytes(of: head.littleEndian, toByteOffset: offset, as: UInt16.self)
            bytes.storeBytes(of: low.littleEndian, toByteOffset: offset &+ 2, as: UInt64.self)
            bytes.storeBytes(of: high.littleEndian, toByteOffset: offset &+ 10, as: UInt64.self)
        }
    }

    /// Appends bytes as they are.
    mutating func append(_ bytes: [UInt8]) {
        makeRoom(for: bytes.count)
        let start = count
        unsafe storage.withUnsafeMutableBytes { target in
            unsafe target[start...].copyBytes(from: bytes)
        }
        count &+= bytes.count
    }

    /// Overwrites four bytes that have been written before with a big-endian number.
    mutating func patch(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count, "Only what has been written is patched")
        var span = storage.mutableSpan
        var bytes = unsafe span.mutableBytes
        bytes.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
}
