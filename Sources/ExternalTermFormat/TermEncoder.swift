/// Writes terms one after the other, such as for a distribution frame that is built in place.
///
/// ```swift
/// var frame = TermEncoder()
/// let length = frame.appendLengthPlaceholder()
/// frame.bytes.append(112)
/// frame.appendVersionByte()
/// frame.append(control)
/// frame.patchLength(at: length)
/// ```
/// The bytes are those of OTP's encoder, with the UTF-8 atom tags that it uses between nodes. (OTP
/// 25's `term_to_binary/1` still writes Latin-1 atoms unless asked for `{minor_version, 2}`.)
///
/// Source: "External Term Format", erl_ext_dist; `enc_term` in OTP's `external.c`.
public struct TermEncoder: Sendable {
    /// A binary that was left out of the bytes.
    public struct LeftOut: Sendable {
        /// Where in the bytes it belongs. The binaries that were left out before it are not
        /// counted.
        public var offset: Int
        public let binary: Binary
    }

    public var bytes: [UInt8]

    /// An encoder that continues after `bytes`.
    public init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Appends the version number 131.
    public mutating func appendVersionByte() {
        bytes.append(Tag.version)
    }

    /// Appends a term without a version number.
    /// - Precondition: floats are finite, and atoms have no more than 65535 bytes.
    public mutating func append(_ term: Term) {
        _ = append(term, copyingUpTo: .max)
    }

    /// Appends a term without a version number, and without the bytes of binaries that are longer
    /// than `longestCopied`. This is for callers that can send those binaries from where they are.
    /// - Returns: the binaries that were left out, in order.
    /// - Precondition: floats are finite, and atoms have no more than 65535 bytes.
    public mutating func append(_ term: Term, copyingUpTo longestCopied: Int) -> [LeftOut] {
        let start = bytes.count
        var leftOut: [LeftOut] = []
        unsafe withUnsafePointer(to: term) { term in
            let count = unsafe EncodedByteCount.of(term)
            bytes.append(addingCapacity: count + ByteSink.slack) { output in
                leftOut = output.append(count, copyingUpTo: longestCopied) {
                    unsafe $0.append(term)
                }
            }
        }
        for index in leftOut.indices { leftOut[index].offset += start }
        return leftOut
    }

    /// Appends four bytes for a length that is not known yet, and returns their position.
    public mutating func appendLengthPlaceholder() -> Int {
        bytes.append(contentsOf: [0, 0, 0, 0])
        return bytes.count - 4
    }

    /// Writes into the placeholder how many bytes have followed it.
    public mutating func patchLength(at offset: Int) {
        patch(UInt32(bytes.count - offset - 4), at: offset)
    }

    /// Overwrites four bytes with a big-endian number.
    public mutating func patch(_ value: UInt32, at offset: Int) {
        for index in 0..<4 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - index * 8))
        }
    }
}

extension Term {
    /// The version number and the term, as `term_to_binary(Term, [{minor_version, 2}])` writes it.
    public func encoded() -> [UInt8] {
        unsafe withUnsafePointer(to: self) { term in
            let count = unsafe 1 + EncodedByteCount.of(term)
            return [UInt8](capacity: count + ByteSink.slack) { output in
                _ = output.append(count, copyingUpTo: .max) { sink in
                    sink.append(Tag.version)
                    unsafe sink.append(term)
                }
            }
        }
    }

    /// The same, compressed at a level of 0 to 9 if that makes it smaller.
    public func encoded(compressed level: Int) -> [UInt8] {
        let plain = encoded()
        let content = plain.dropFirst()
        guard let count = UInt32(exactly: content.count) else { return plain }
        let deflated = Inflation.deflate(content, level: level)
        // The tag and the size count too.
        guard deflated.count + 5 < content.count else { return plain }
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(6 + deflated.count)
        encoder.appendVersionByte()
        encoder.bytes.append(Tag.compressed)
        let placeholder = encoder.appendLengthPlaceholder()
        encoder.patch(count, at: placeholder)
        encoder.bytes.append(contentsOf: deflated)
        return encoder.bytes
    }
}

extension OutputSpan<UInt8> {
    /// Appends what `body` writes: `count` bytes, those that are left out included.
    /// - Precondition: there is room for these bytes and for the slack of a ``ByteSink``.
    fileprivate mutating func append(
        _ count: Int, copyingUpTo longestCopied: Int, _ body: (inout ByteSink) -> Void
    ) -> [TermEncoder.LeftOut] {
        precondition(freeCapacity >= count + ByteSink.slack, "There is room for what was counted")
        return unsafe withUnsafeMutableBufferPointer { buffer, initializedCount in
            guard let start = buffer.baseAddress else { return [] }
            var sink = unsafe ByteSink(
                UnsafeMutableRawPointer(start + initializedCount), copyingUpTo: longestCopied)
            body(&sink)
            let leftOutCount = sink.leftOut.reduce(0) { $0 + $1.binary.count }
            precondition(
                sink.count + leftOutCount == count, "What was written is what was counted")
            initializedCount += sink.count
            return sink.leftOut
        }
    }
}
