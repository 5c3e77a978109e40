internal import CZlib

/// Reads and writes what follows tag 80: a 4-byte size, and a zlib stream that has this size once
/// inflated.
///
/// Source: `uncompress2` and `compress2` of zlib; `binary_to_term/1` with `compressed`, OTP's
/// `external.c`.
enum Inflation {
    /// Deflate cannot compress better than this: a match of 258 bytes takes at least two bits.
    private static let maximumRatio = 1032

    /// The inflated bytes. The reader then stands after the compressed ones.
    static func inflate(
        _ bytes: Span<UInt8>, at reader: inout ByteReader, limits: DecodingLimits
    ) throws(TermError) -> [UInt8] {
        let promised = Int(try reader.uint32(bytes))
        guard promised <= limits.maximumByteCount else {
            throw .tooLong(byteCount: promised, maximum: limits.maximumByteCount)
        }
        let source = bytes.extracting(reader.offset..<bytes.count)
        guard promised / maximumRatio <= source.count else { throw .truncated }
        guard promised > 0 else { throw .unexpectedInflatedSize(promised: 0, found: 0) }

        var inflated = [UInt8](repeating: 0, count: promised)
        var inflatedCount = uLongf(promised)
        var sourceCount = uLong(source.count)
        let status = unsafe source.withUnsafeBufferPointer { from in
            unsafe inflated.withUnsafeMutableBufferPointer { into in
                unsafe uncompress2(
                    into.baseAddress, &inflatedCount, from.baseAddress, &sourceCount)
            }
        }
        switch status {
        case Z_OK: break
        // There is more output than promised, or too little input. How much zlib has filled tells
        // which.
        case Z_BUF_ERROR:
            throw Int(inflatedCount) == promised
                ? .unexpectedInflatedSize(promised: promised, found: promised + 1) : .truncated
        default: throw .invalidCompression
        }
        guard Int(inflatedCount) == promised else {
            throw .unexpectedInflatedSize(promised: promised, found: Int(inflatedCount))
        }
        reader.offset += Int(sourceCount)
        return inflated
    }

    /// The bytes as a zlib stream, compressed at a level of 0 to 9.
    static func deflate(_ bytes: ArraySlice<UInt8>, level: Int) -> [UInt8] {
        var deflated = [UInt8](repeating: 0, count: Int(compressBound(uLong(bytes.count))))
        var count = uLongf(deflated.count)
        let status = unsafe bytes.withUnsafeBufferPointer { from in
            unsafe deflated.withUnsafeMutableBufferPointer { into in
                unsafe compress2(
                    into.baseAddress, &count, from.baseAddress, uLong(from.count), Int32(level))
            }
        }
        precondition(status == Z_OK, "zlib compresses at the levels 0 to 9, given memory")
        deflated.removeLast(deflated.count - Int(count))
        return deflated
    }
}
