/// A start line with the fields that follow it.
protocol HTTPHead: Sendable {
    /// Whether a line of it may end with a single LF.
    static var acceptsBareLineFeed: Bool { get }
    /// How many empty lines may stand before it.
    static var emptyLineCount: Int { get }

    /// A head without fields yet.
    init(startLine: [UInt8]) throws(HTTPParseError)

    var fields: [HTTPField] { get set }
}

extension HTTPHead {
    static var emptyLineCount: Int { 0 }
}

/// Parses a head from bytes that come in parts of any size. It does no I/O.
///
/// It is strict where leniency has been abused: no whitespace before a colon, no folded lines, no
/// bare CR, no control characters. Source: RFC 9112, sections 2.2, 3, 4 and 5; RFC 9110, sections
/// 5.1 and 5.5.
struct HTTPHeadParser<Head: HTTPHead>: Sendable {
    private let limits: HTTPLimits
    private var reader = HTTPLineReader(acceptsBareLineFeed: Head.acceptsBareLineFeed)
    private var head: Head?
    private var byteCount = 0
    private var emptyLinesLeft = Head.emptyLineCount

    init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
    }

    /// Whether any part of a head has been seen.
    var hasBegun: Bool { head != nil || reader.isInLine }

    /// Takes bytes off `bytes`, up to the empty line that ends the head.
    /// - Returns: The head once it is complete. The parser is then ready for the next one.
    /// - Throws: what the peer did wrong. The rest of its bytes cannot be used.
    mutating func parse(_ bytes: inout ArraySlice<UInt8>) throws(HTTPParseError) -> Head? {
        while !bytes.isEmpty {
            let line: [UInt8]
            switch reader.next(&bytes, limit: limits.headByteCount - byteCount) {
            case .whole(let whole): line = whole
            case .unfinished: return nil
            case .tooLong: throw tooLong
            case .bareLineFeed: throw .bareLineFeed
            }
            byteCount += line.count + 2
            guard byteCount <= limits.headByteCount else { throw tooLong }
            if let head = try take(line) {
                self = HTTPHeadParser(limits: limits)
                return head
            }
        }
        return nil
    }

    private var tooLong: HTTPParseError {
        head == nil
            ? .startLineTooLong(limit: limits.headByteCount)
            : .headTooLong(limit: limits.headByteCount)
    }

    private mutating func take(_ line: [UInt8]) throws(HTTPParseError) -> Head? {
        guard var head else {
            if line.isEmpty, emptyLinesLeft > 0 {
                emptyLinesLeft -= 1
            } else {
                self.head = try Head(startLine: line)
            }
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

    /// `name: value`. Leading whitespace would continue the previous line; that is obsolete, and is
    /// refused (RFC 9112, section 5.2). Whitespace before the colon is refused as well (5.1).
    private static func field(_ line: [UInt8]) throws(HTTPParseError) -> HTTPField {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(HTTPText.isToken),
            line[(colon + 1)...].allSatisfy(HTTPText.isText)
        else { throw .badField(HTTPParseError.quoted(line)) }
        var value = line[(colon + 1)...]
        while let first = value.first, HTTPText.isBlank(first) { value.removeFirst() }
        while let last = value.last, HTTPText.isBlank(last) { value.removeLast() }
        return HTTPField(
            String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }
}

/// `HTTP/1.1`.
enum HTTPVersion {
    /// 0 or 1. Each version number is one digit (RFC 9112, section 2.3); a higher minor version
    /// counts as 1.1.
    static func minor(_ text: ArraySlice<UInt8>) throws(HTTPParseError) -> Int {
        let version = text.dropFirst(5)
        guard text.starts(with: Array("HTTP/".utf8)), version.count == 3,
            version.starts(with: Array("1.".utf8)), let minor = version.last,
            HTTPText.isDigit(minor)
        else { throw .badVersion(HTTPParseError.quoted(text)) }
        return minor == UInt8(ascii: "0") ? 0 : 1
    }
}
