/// Parses a response's head from bytes that come in parts of any size. It does no I/O.
///
/// It is strict where leniency has been abused: no whitespace before a colon, no folded lines, no
/// bare CR, no control characters. Source: RFC 9112, sections 2.2, 4 and 5; RFC 9110, sections 5.1
/// and 5.5.
package struct HTTPResponseHeadParser: Sendable {
    private let limits: HTTPLimits
    private var reader = HTTPLineReader()
    private var head: HTTPResponseHead?
    private var byteCount = 0

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
    }

    /// Whether any part of a head has been seen.
    package var hasBegun: Bool { head != nil || reader.isInLine }

    /// Takes bytes off `bytes`, up to the empty line that ends the head.
    /// - Returns: The head once it is complete. The parser is then ready for the next one.
    /// - Throws: what the peer did wrong. The rest of its bytes cannot be used.
    package mutating func parse(
        _ bytes: inout ArraySlice<UInt8>
    ) throws(HTTPParseError) -> HTTPResponseHead? {
        while !bytes.isEmpty {
            let (line, isTooLong) = reader.next(&bytes, limit: limits.headByteCount - byteCount)
            if isTooLong { throw .headTooLong(limit: limits.headByteCount) }
            guard let line else { return nil }
            byteCount += line.count + 2
            guard byteCount <= limits.headByteCount else {
                throw .headTooLong(limit: limits.headByteCount)
            }
            if let head = try take(line) {
                self = HTTPResponseHeadParser(limits: limits)
                return head
            }
        }
        return nil
    }

    private mutating func take(_ line: [UInt8]) throws(HTTPParseError) -> HTTPResponseHead? {
        guard var head else {
            self.head = try Self.statusLine(line)
            return nil
        }
        if line.isEmpty { return head }
        guard head.fields.count < limits.fieldCount else {
            throw .tooManyFields(limit: limits.fieldCount)
        }
        head.fields.append(try Self.field(line))
        self.head = head
        return nil
    }

    /// `HTTP/1.1 200 OK`. Some servers send neither a reason nor the space before it. Source: RFC
    /// 9112, section 4.
    private static func statusLine(_ line: [UInt8]) throws(HTTPParseError) -> HTTPResponseHead {
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts[0].starts(with: Array("HTTP/".utf8)) else {
            throw .badStatusLine(HTTPParseError.quoted(line))
        }
        // Each version number is one digit (RFC 9112, section 2.3); a higher minor version counts
        // as 1.1.
        let version = parts[0].dropFirst(5)
        guard version.count == 3, version.starts(with: Array("1.".utf8)),
            let minor = version.last, isDigit(minor)
        else { throw .badVersion(HTTPParseError.quoted(parts[0])) }
        guard parts.count >= 2, parts[1].count == 3, parts[1].allSatisfy(isDigit),
            parts.count < 3 || parts[2].allSatisfy(isText)
        else { throw .badStatusLine(HTTPParseError.quoted(line)) }
        let status = parts[1].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard status >= 100 else { throw .badStatusLine(HTTPParseError.quoted(line)) }
        return HTTPResponseHead(
            minorVersion: minor == UInt8(ascii: "0") ? 0 : 1, status: status, fields: [])
    }

    /// `name: value`. Leading whitespace would continue the previous line; that is obsolete, and is
    /// refused (RFC 9112, section 5.2). Whitespace before the colon is refused as well (5.1).
    private static func field(_ line: [UInt8]) throws(HTTPParseError) -> HTTPField {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(isToken), line[(colon + 1)...].allSatisfy(isText)
        else { throw .badField(HTTPParseError.quoted(line)) }
        var value = line[(colon + 1)...]
        while let first = value.first, isBlank(first) { value.removeFirst() }
        while let last = value.last, isBlank(last) { value.removeLast() }
        return HTTPField(
            String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Whether the byte is printable, blank, or beyond ASCII. Source: RFC 9110, section 5.5.
    private static func isText(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == 0x09
    }

    /// Whether the byte may occur in a token. Source: RFC 9110, section 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
