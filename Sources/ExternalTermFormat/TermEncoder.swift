/// Writes terms one after the other, as for a distribution frame that is built in place.
///
/// ```swift
/// var frame = TermEncoder()
/// let length = frame.appendLengthPlaceholder()
/// frame.bytes.append(112)
/// frame.appendVersionByte()
/// frame.append(control)
/// frame.patchLength(at: length)
/// ```
/// The bytes are those of OTP's encoder, with the UTF-8 atom tags that it uses between nodes. (OTP 25's
/// `term_to_binary/1` still writes Latin-1 atoms unless asked for `{minor_version, 2}`.)
///
/// Source: "External Term Format", erl_ext_dist; `enc_term` in OTP's `external.c`.
public struct TermEncoder: Sendable {
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
        unsafe withUnsafePointer(to: term) { term in
            let count = unsafe EncodedByteCount.of(term)
            bytes.append(addingCapacity: count + ByteSink.slack) { output in
                output.append(count) { unsafe $0.append(term) }
            }
        }
    }

    /// Appends four bytes for a length that is not known yet, and says where.
    public mutating func appendLengthPlaceholder() -> Int {
        bytes.append(contentsOf: [0, 0, 0, 0])
        return bytes.count - 4
    }

    /// Writes into the placeholder how many bytes have come after it.
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
                output.append(count) { sink in
                    sink.append(Tag.version)
                    unsafe sink.append(term)
                }
            }
        }
    }

    /// The same, compressed at a level of 0 to 9 where that makes it smaller.
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
    /// Appends what the body writes, which is `count` bytes.
    /// - Precondition: there is room for them and for the slack of a ``ByteSink``.
    fileprivate mutating func append(_ count: Int, _ body: (inout ByteSink) -> Void) {
        precondition(freeCapacity >= count + ByteSink.slack, "There is room for what was counted")
        unsafe withUnsafeMutableBufferPointer { buffer, initializedCount in
            guard let start = buffer.baseAddress else { return }
            var sink = unsafe ByteSink(UnsafeMutableRawPointer(start + initializedCount))
            body(&sink)
            precondition(sink.count == count, "What was written is what was counted")
            initializedCount += count
        }
    }
}
