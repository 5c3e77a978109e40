internal import ExternalTermFormat
internal import Glibc
internal import Supervisor

/// Reads an instance's log piece by piece, so that a reader who asks again and again misses nothing
/// and sees nothing twice. It blocks.
enum LogReader {
    struct Piece: Equatable {
        var bytes: [UInt8]
        /// Where the next piece begins: `{Inode, Offset}`.
        var next: Term
    }

    /// The most bytes of one piece.
    private static let maximumByteCount = 256 << 10

    /// - Throws: ``ControlRefusal`` for a position that no answer has given.
    static func read(
        _ path: String, from start: ControlCall.LogStart
    ) throws -> Piece {
        let raw = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard raw >= 0 else {
            guard errno == ENOENT else { throw ControlRefusal("\(path) cannot be read") }
            return Piece(bytes: [], next: .tuple([0, 0]))
        }
        defer { close(raw) }
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw ControlRefusal("\(path) cannot be read") }
        let (inode, size) = (Int(status.st_ino), Int(status.st_size))
        var offset: Int
        switch start {
        case .last:
            offset = max(0, size - maximumByteCount)
        case .position(let term):
            guard let fields = term.asTuple, fields.count == 2, let known = fields[0].asInteger,
                let position = fields[1].asInteger, position >= 0
            else { throw ControlRefusal("a position is {last,N} or what an answer gave as next") }
            offset = known == inode && position <= size ? position : 0
        }
        var bytes = [UInt8](repeating: 0, count: min(size - offset, maximumByteCount))
        var count = 0
        while count < bytes.count {
            let result = bytes[count...].withUnsafeMutableBytes {
                pread(raw, $0.baseAddress, $0.count, off_t(offset + count))
            }
            guard result > 0 else { break }
            count += result
        }
        bytes.removeLast(bytes.count - count)
        let next = offset + count
        if case .last(let lines) = start { bytes = Array(last(lines, of: bytes)) }
        return Piece(bytes: bytes, next: .tuple([.integer(inode), .integer(next)]))
    }

    /// The last lines, the unfinished one included.
    private static func last(_ count: Int, of bytes: [UInt8]) -> ArraySlice<UInt8> {
        var left = count
        guard left > 0 else { return [] }
        for index in bytes.indices.dropLast().reversed() where bytes[index] == 0x0A {
            left -= 1
            if left == 0 { return bytes[(index + 1)...] }
        }
        return bytes[...]
    }
}
