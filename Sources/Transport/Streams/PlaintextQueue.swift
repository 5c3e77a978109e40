/// Bytes that wait to be encrypted, in chunks of full records.
struct PlaintextQueue {
    private var chunks: [[UInt8]] = []
    private var firstChunk = 0
    private var takenOfFirst = 0
    private(set) var byteCount = 0

    /// Four full records.
    private static let chunkByteCount = 64 << 10

    var isEmpty: Bool { byteCount == 0 }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        byteCount += bytes.count
        var rest = bytes
        if let last = chunks.indices.last {
            let added = rest.prefix(max(0, Self.chunkByteCount - chunks[last].count))
            chunks[last] += added
            rest = rest[added.endIndex...]
        }
        while !rest.isEmpty {
            let added = rest.prefix(Self.chunkByteCount)
            var chunk: [UInt8] = []
            if rest.count < bytes.count || added.count == Self.chunkByteCount {
                // More will come, and growing the chunk would copy it again.
                chunk.reserveCapacity(Self.chunkByteCount)
            }
            chunk += added
            chunks.append(chunk)
            rest = rest[added.endIndex...]
        }
    }

    /// Calls `body` with the first bytes in one piece, at most `limit` of them.
    func withFirst<Result>(
        _ limit: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        chunks[firstChunk].withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[takenOfFirst...].prefix(limit))
            return body(rest)
        }
    }

    mutating func removeFirst(_ count: Int) {
        byteCount -= count
        takenOfFirst += count
        guard takenOfFirst == chunks[firstChunk].count else { return }
        takenOfFirst = 0
        // A chunk is released at once; the list of chunks is trimmed when it is empty or long.
        chunks[firstChunk] = []
        firstChunk += 1
        if firstChunk == chunks.count {
            chunks.removeAll(keepingCapacity: chunks.count < 16)
            firstChunk = 0
        } else if firstChunk == 1024 {
            chunks.removeFirst(firstChunk)
            firstChunk = 0
        }
    }
}
