/// Reads the content of a message and finds its end. It keeps no content and does no I/O.
///
/// Source: RFC 9112, sections 6.3 and 7.1.
package struct HTTPBodyReader: Sendable {
    private enum State: Equatable, Sendable {
        case counting(left: Int)
        case untilClose
        case chunkLine
        case chunk(left: Int)
        case chunkEnd
        case trailer
        case finished
    }

    private let limits: HTTPLimits
    private var state: State
    private var reader: HTTPLineReader
    private var trailerByteCount = 0
    /// Bytes of content so far, without the lines around chunks.
    package private(set) var byteCount = 0

    /// - Parameter acceptsBareLineFeed: whether a line around a chunk may end with a single LF.
    package init(
        _ framing: HTTPBodyFraming, limits: HTTPLimits = HTTPLimits(),
        acceptsBareLineFeed: Bool
    ) {
        self.limits = limits
        reader = HTTPLineReader(acceptsBareLineFeed: acceptsBareLineFeed)
        switch framing {
        case .none, .length(0): state = .finished
        case .length(let count): state = .counting(left: count)
        case .chunked: state = .chunkLine
        case .untilClose: state = .untilClose
        }
    }

    package var isFinished: Bool { state == .finished }

    /// Takes bytes off `bytes`, up to the content's end.
    /// - Parameter take: gets the content, without the lines around chunks.
    package mutating func read(
        _ bytes: inout ArraySlice<UInt8>, take: (ArraySlice<UInt8>) -> Void = { _ in }
    ) throws(HTTPParseError) {
        while !bytes.isEmpty {
            switch state {
            case .finished: return
            case .untilClose: pass(&bytes, bytes.count, take)
            case .counting(let left):
                let rest = left - pass(&bytes, left, take)
                state = rest == 0 ? .finished : .counting(left: rest)
            case .chunk(let left):
                let rest = left - pass(&bytes, left, take)
                state = rest == 0 ? .chunkEnd : .chunk(left: rest)
            case .chunkLine, .chunkEnd, .trailer: try readLine(&bytes)
            }
        }
    }

    /// The peer has closed the connection. This is a valid end only for content without another
    /// end.
    package mutating func connectionClosed() throws(HTTPParseError) {
        switch state {
        case .finished: break
        case .untilClose: state = .finished
        case .counting, .chunkLine, .chunk, .chunkEnd, .trailer: throw .truncated("its content")
        }
    }

    @discardableResult
    private mutating func pass(
        _ bytes: inout ArraySlice<UInt8>, _ count: Int, _ take: (ArraySlice<UInt8>) -> Void
    ) -> Int {
        let content = bytes.prefix(count)
        bytes = bytes.dropFirst(content.count)
        byteCount += content.count
        take(content)
        return content.count
    }

    private mutating func readLine(_ bytes: inout ArraySlice<UInt8>) throws(HTTPParseError) {
        let limit =
            state == .trailer
            ? limits.headByteCount - trailerByteCount : limits.chunkLineByteCount
        let line: [UInt8]
        switch reader.next(&bytes, limit: limit) {
        case .whole(let whole): line = whole
        case .unfinished: return
        case .bareLineFeed: throw .bareLineFeed
        case .tooLong where state == .trailer: throw .headTooLong(limit: limits.headByteCount)
        case .tooLong: throw .badChunk("a line of more than \(limit) bytes")
        }
        switch state {
        case .chunkLine:
            let size = try Self.chunkSize(line)
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            guard line.isEmpty else { throw .badChunk(HTTPParseError.quoted(line)) }
            state = .chunkLine
        case .trailer:
            trailerByteCount += line.count + 2
            guard trailerByteCount <= limits.headByteCount else {
                throw .headTooLong(limit: limits.headByteCount)
            }
            if line.isEmpty { state = .finished }
        case .counting, .untilClose, .chunk, .finished:
            preconditionFailure("These have no lines")
        }
    }

    /// `1a;name=value`: hexadecimal, at most 15 digits, so that it fits. Extensions are ignored.
    private static func chunkSize(_ line: [UInt8]) throws(HTTPParseError) -> Int {
        var digits = line.prefix { $0 != UInt8(ascii: ";") }
        while digits.last == 0x20 || digits.last == 0x09 { digits.removeLast() }
        guard 1...15 ~= digits.count else { throw .badChunk(HTTPParseError.quoted(line)) }
        var size = 0
        for digit in digits {
            guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else {
                throw .badChunk(HTTPParseError.quoted(line))
            }
            size = size << 4 | value
        }
        return size
    }
}
