/// The bytes of a binary.
///
/// Large binaries are not copied when they are decoded: they stay in the received bytes, as long as
/// they make up most of them. How the bytes are kept shows only in the time that operations take.
public struct Binary: Sendable {
    enum Storage: Sendable {
        case bytes([UInt8])
        case part(Part)
    }

    /// A part of an array, in one word.
    final class Part: Sendable {
        let bytes: [UInt8]
        let range: Range<Int>

        init(of bytes: [UInt8], _ range: Range<Int>) {
            self.bytes = bytes
            self.range = range
        }
    }

    let storage: Storage

    public init(_ bytes: [UInt8] = []) {
        storage = .bytes(bytes)
    }

    public init(_ bytes: some Sequence<UInt8>) {
        self.init(Array(bytes))
    }

    /// A part of `bytes`, which live as long as the part.
    init(partOf bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        storage = .part(Part(of: bytes, range))
    }

    /// A part may be shared if it is large enough to be worth it, and is at least half of `bytes`.
    @inline(__always)
    static func sharesPart(_ count: Int, of bytes: [UInt8]) -> Bool {
        count >= 16 << 10 && count >= bytes.count / 2
    }

    /// The bytes as a part of an array, without a copy.
    public var slice: ArraySlice<UInt8> {
        switch storage {
        case .bytes(let bytes): bytes[...]
        case .part(let part): part.bytes[part.range]
        }
    }

    /// Where the bytes are, as long as the binary lives. It is not always inlined: recursive
    /// functions use it, and in a debug build each of their frames would contain all of this.
    var place: UnsafeBufferPointer<UInt8> {
        switch storage {
        case .bytes(let bytes): unsafe bytes.withUnsafeBufferPointer { unsafe $0 }
        case .part(let part):
            unsafe part.bytes.withUnsafeBufferPointer {
                unsafe UnsafeBufferPointer(rebasing: $0[part.range])
            }
        }
    }

    /// The bytes in place.
    public func withUnsafeBufferPointer<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .bytes(let bytes): return try unsafe bytes.withUnsafeBufferPointer(body)
        case .part(let part):
            return try unsafe part.bytes.withUnsafeBufferPointer {
                bytes throws(Failure) in
                try unsafe body(UnsafeBufferPointer(rebasing: bytes[part.range]))
            }
        }
    }
}

extension Binary: RandomAccessCollection {
    public var startIndex: Int { 0 }

    public var endIndex: Int {
        switch storage {
        case .bytes(let bytes): bytes.count
        case .part(let part): part.range.count
        }
    }

    public subscript(_ index: Int) -> UInt8 {
        switch storage {
        case .bytes(let bytes): return bytes[index]
        case .part(let part):
            precondition(part.range.count > index && index >= 0, "A binary's index is within it")
            return part.bytes[part.range.lowerBound + index]
        }
    }

    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try unsafe withUnsafeBufferPointer(body)
    }
}

extension Binary: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: UInt8...) {
        self.init(elements)
    }
}

extension Binary: Hashable {
    public static func == (left: Binary, right: Binary) -> Bool {
        switch (left.storage, right.storage) {
        case (.bytes(let left), .bytes(let right)): left == right
        case (.bytes, .part), (.part, .bytes), (.part, .part): left.elementsEqual(right)
        }
    }

    public func hash(into hasher: inout Hasher) {
        unsafe withUnsafeBufferPointer { bytes in
            hasher.combine(bytes.count)
            unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
    }
}

extension [UInt8] {
    /// The bytes of a binary. Those that are a part of other bytes are copied.
    public init(_ binary: Binary) {
        switch binary.storage {
        case .bytes(let bytes): self = bytes
        case .part(let part): self = Array(part.bytes[part.range])
        }
    }
}
