internal import CZlib

/// Compression as browsers understand it. Source: RFC 1952.
enum Gzip {
    /// The bytes as one gzip member, as short as zlib makes it.
    static func packed(_ bytes: [UInt8]) -> [UInt8] {
        // zlib keeps the stream's address: it must not move.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        defer { stream.deallocate() }
        stream.initialize(to: z_stream())
        // 16 more than the largest window: gzip's frame. Source: zlib.h, deflateInit2().
        let code = deflateInit2_(
            stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib has memory")
        defer { deflateEnd(stream) }
        var source = bytes
        var packed = [UInt8](repeating: 0, count: Int(deflateBound(stream, uLong(bytes.count))))
        source.withUnsafeMutableBufferPointer { from in
            packed.withUnsafeMutableBufferPointer { into in
                stream.pointee.next_in = from.baseAddress
                stream.pointee.avail_in = uInt(from.count)
                stream.pointee.next_out = into.baseAddress
                stream.pointee.avail_out = uInt(into.count)
                let code = deflate(stream, Z_FINISH)
                precondition(code == Z_STREAM_END, "The room is as much as zlib asks for")
            }
        }
        packed.removeLast(Int(stream.pointee.avail_out))
        return packed
    }
}
