internal import CZlib

/// Why bytes are not whole gzip data.
package enum GzipError: Error, Equatable, Sendable {
    case notGzip
    /// The data ends before its checksum.
    case truncated
    /// The compressed data is malformed, or its checksum or length is wrong.
    case damaged
    /// Something other than zeros follows the last member.
    case trailingGarbage
    /// More uncompressed bytes than allowed.
    case tooLong(limit: Int64)
    case outOfMemory

    /// What is wrong, as words that fit after a colon.
    package var text: String {
        switch self {
        case .notGzip: "it is not gzip data"
        case .truncated: "its gzip data ends too early"
        case .damaged: "its gzip data is damaged (or its checksum is wrong)"
        case .trailingGarbage: "something follows its gzip data"
        case .tooLong(let limit): "it has more than \(limit) bytes uncompressed"
        case .outOfMemory: "there is not enough memory to uncompress it"
        }
    }
}

/// Uncompresses gzip data in pieces of any size: several members, checksums and lengths verified.
///
/// After the last member zeros are allowed, because tapes and block devices pad with them. Anything
/// else is an error. Gzip(1) warns and goes on, but a package that differs from what its builder
/// wrote must not be deployed.
///
/// Source: RFC 1952; zlib.h.
package struct GzipInflater: ~Copyable {
    private enum State {
        /// So many bytes of a member's magic number have been seen.
        case start(matched: Int)
        case member
        case padding
    }

    /// zlib keeps the stream's address: it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let limit: Int64
    private var state = State.start(matched: 0)
    private var memberCount = 0
    /// Uncompressed bytes so far.
    package private(set) var byteCount: Int64 = 0

    /// - Parameter limit: for all uncompressed bytes together.
    package init(limit: Int64) throws(GzipError) {
        self.limit = limit
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 asks for gzip and nothing else, with the largest window, 2^15.
        let code = inflateInit2_(
            stream, 16 + 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw .outOfMemory }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Uncompresses from `input` into the beginning of `output`, and removes the bytes it reads
    /// from `input`.
    /// - Returns: how many bytes of `output` were written. 0 only when the input is used up.
    package mutating func inflate(
        _ input: inout ArraySlice<UInt8>, into output: inout [UInt8]
    ) throws(GzipError) -> Int {
        while true {
            switch state {
            case .start(let matched):
                guard let byte = input.first else { return 0 }
                if memberCount > 0, matched == 0, byte == 0 {
                    state = .padding
                    continue
                }
                guard byte == (matched == 0 ? 0x1F : 0x8B) else {
                    throw memberCount == 0 ? .notGzip : .trailingGarbage
                }
                input = input.dropFirst()
                guard matched == 1 else {
                    state = .start(matched: 1)
                    continue
                }
                guard inflateReset(stream) == Z_OK else { throw .damaged }
                // The magic number may have come in two pieces, so zlib gets it from here.
                var magic: ArraySlice<UInt8> = [0x1F, 0x8B]
                _ = try step(&magic, into: &output)
                state = .member
            case .member:
                // A full output means that zlib may hold more, whether or not there is input.
                guard !input.isEmpty || stream.pointee.avail_out == 0 else { return 0 }
                let (count, isEnd) = try step(&input, into: &output)
                if isEnd {
                    memberCount += 1
                    state = .start(matched: 0)
                }
                byteCount += Int64(count)
                guard byteCount <= limit else { throw .tooLong(limit: limit) }
                if count > 0 { return count }
                if !isEnd, input.isEmpty { return 0 }
            case .padding:
                guard input.allSatisfy({ $0 == 0 }) else { throw .trailingGarbage }
                input = []
                return 0
            }
        }
    }

    /// Says that the input has ended.
    package func finish() throws(GzipError) {
        switch state {
        case .padding: return
        case .start(let matched):
            guard memberCount > 0 else { throw matched == 0 ? .notGzip : .truncated }
            guard matched == 0 else { throw .trailingGarbage }
        case .member: throw .truncated
        }
    }

    /// One call of zlib.
    private func step(
        _ input: inout ArraySlice<UInt8>, into output: inout [UInt8]
    ) throws(GzipError) -> (count: Int, isEnd: Bool) {
        precondition(!output.isEmpty, "There must be room for output")
        let inputCount = min(input.count, 1 << 30)
        let outputCount = min(output.count, 1 << 30)
        let code = input.withUnsafeBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                // zlib reads from here only; its type is older than const.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(inputCount)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(outputCount)
                return CZlib.inflate(stream, Z_NO_FLUSH)
            }
        }
        input = input.dropFirst(inputCount - Int(stream.pointee.avail_in))
        let count = outputCount - Int(stream.pointee.avail_out)
        switch code {
        case Z_STREAM_END: return (count, true)
        // Z_BUF_ERROR: no progress was possible; that is not an error.
        case Z_OK, Z_BUF_ERROR: return (count, false)
        case Z_MEM_ERROR: throw .outOfMemory
        // Malformed data, a wrong checksum, or a preset dictionary, which gzip does not have.
        default: throw .damaged
        }
    }
}
