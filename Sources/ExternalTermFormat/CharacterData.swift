// Joins character data and iodata only as far as is wanted: whoever sends it may send a lot.

extension Term {
    /// The beginning of character data, which ``asText`` returns whole: a UTF-8 binary, a list of
    /// code points, or nested lists of both.
    ///
    /// It returns at most `maximumByteCount` bytes of UTF-8, cut between characters. What comes
    /// after them is neither copied nor looked at. `nil` when the data up to there is not text.
    public func text(upTo maximumByteCount: Int) -> String? {
        var joined = JoinedBytes(maximumByteCount: maximumByteCount)
        guard joined.appendText(self) else { return nil }
        return String(decoding: joined.bytes, as: UTF8.self)
    }

    /// The beginning of an iolist or binary, which ``asBytes`` returns whole: at most
    /// `maximumByteCount` bytes.
    ///
    /// `nil` when the data up to there is not iodata.
    public func bytes(upTo maximumByteCount: Int) -> [UInt8]? {
        var joined = JoinedBytes(maximumByteCount: maximumByteCount)
        return joined.appendBytes(self) ? joined.bytes : nil
    }

    /// The text, if it has at most `maximumByteCount` bytes of UTF-8; `nil` for anything else. No
    /// more of the term than that is looked at.
    public func shortText(maximumByteCount: Int) -> String? {
        guard let text = text(upTo: maximumByteCount + 4), text.utf8.count <= maximumByteCount
        else { return nil }
        return text
    }

    /// Whether the term takes at most this many bytes when it is encoded, so that it may be echoed
    /// to another node.
    public func isShort(maximumByteCount: Int) -> Bool {
        unsafe withUnsafePointer(to: self) { unsafe EncodedByteCount.of($0) } <= maximumByteCount
    }

    /// The term in Erlang's syntax for a message to people; of a long term only the beginning.
    public var brief: String { erlangText(maximumByteCount: 200) }
}

extension Binary {
    /// At most the first `count` bytes, without breaking a UTF-8 character.
    func cut(atCharacterBefore count: Int) -> Binary {
        guard self.count > count else { return self }
        var end = count
        // A byte 10xxxxxx continues a character. A character has at most three of them.
        while end > 0, count - end < 3, self[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
        // Bytes that are not UTF-8 are cut anywhere.
        if end > 0, self[end] & 0b1100_0000 == 0b1000_0000 { end = count }
        return Binary(slice.prefix(end))
    }
}

/// Bytes that are joined up to a limit.
private struct JoinedBytes {
    private(set) var bytes: [UInt8] = []
    let maximumByteCount: Int
    /// Whether the next character did not fit.
    private var hasEnded = false

    init(maximumByteCount: Int) {
        self.maximumByteCount = maximumByteCount
    }

    private var isFull: Bool { bytes.count >= maximumByteCount }

    /// - Returns: whether what was looked at is character data.
    mutating func appendText(_ term: Term) -> Bool {
        guard !isFull, !hasEnded else { return true }
        switch term {
        case .binary(let binary):
            let part = binary.cut(atCharacterBefore: maximumByteCount - bytes.count)
            let isText = unsafe part.withUnsafeBufferPointer {
                unsafe (try? UTF8Span(validating: Span(_unsafeElements: $0))) != nil
            }
            guard isText else { return false }
            bytes.append(contentsOf: part.slice)
            // A character that did not fit ends the text all the same.
            if part.count < binary.count { hasEnded = true }
            return true
        case .list(let elements): return appendText(elements)
        case .improperList(let elements, let tail):
            guard case .binary = tail else { return false }
            return appendText(TermList(elements)) && appendText(tail)
        case .integer, .bigInteger, .float, .atom, .bitstring, .tuple, .map, .pid, .port,
            .reference, .record, .fun, .export:
            return false
        }
    }

    private mutating func appendText(_ elements: TermList) -> Bool {
        for element in elements {
            if hasEnded || isFull { return true }
            guard case .integer(let value) = element else {
                guard appendText(element) else { return false }
                continue
            }
            guard let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init),
                let character = UTF8.encode(scalar)
            else { return false }
            guard bytes.count + character.count <= maximumByteCount else {
                hasEnded = true
                return true
            }
            bytes.append(contentsOf: character)
        }
        return true
    }

    /// - Returns: whether what was looked at is iodata.
    mutating func appendBytes(_ term: Term) -> Bool {
        switch term {
        case .binary(let binary):
            bytes.append(contentsOf: binary.slice.prefix(maximumByteCount - bytes.count))
            return true
        case .list(let elements): return appendBytes(elements)
        case .improperList(let elements, let tail):
            guard case .binary = tail else { return false }
            return appendBytes(TermList(elements)) && appendBytes(tail)
        case .integer, .bigInteger, .float, .atom, .bitstring, .tuple, .map, .pid, .port,
            .reference, .record, .fun, .export:
            return false
        }
    }

    private mutating func appendBytes(_ elements: TermList) -> Bool {
        for element in elements where !isFull {
            guard case .integer(let value) = element else {
                guard appendBytes(element) else { return false }
                continue
            }
            guard let byte = UInt8(exactly: value) else { return false }
            bytes.append(byte)
        }
        return true
    }
}
