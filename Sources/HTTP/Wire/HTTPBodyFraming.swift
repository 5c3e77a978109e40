/// How the content of a message ends. Source: RFC 9112, section 6.3.
package enum HTTPBodyFraming: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
    case untilClose

    /// - Parameter head: the head of the response to a GET.
    package init(_ head: HTTPResponseHead) throws(HTTPParseError) {
        let codings = head.fields.elements("transfer-encoding").map { $0.lowercased() }
        let lengths = head.fields.elements("content-length")
        // Rule 1.
        if 100...199 ~= head.status || head.status == 204 || head.status == 304 {
            self = .none
        } else if let last = codings.last {
            // Rules 3 and 4: both fields, or chunked twice, are an attempt to fool somebody.
            guard lengths.isEmpty else { throw .badContentLength(lengths[0]) }
            guard codings.dropLast().allSatisfy({ $0 != "chunked" }) else {
                throw .badTransferCoding("chunked, chunked")
            }
            // Content that is compressed as well can be dropped without being understood.
            self = last == "chunked" ? .chunked : .untilClose
        } else if let first = lengths.first {
            // Rule 5: a list of equal lengths counts as that length.
            guard lengths.allSatisfy({ $0 == first }), let length = Self.number(first) else {
                throw Self.badLength(lengths)
            }
            self = .length(length)
        } else {
            // Rule 8.
            self = .untilClose
        }
    }

    /// - Parameter head: the head of a request. Whatever could be read in two ways is refused:
    ///   somebody may hide a second request in it from a proxy, or from us (RFC 9112, section
    ///   11.2).
    package init(_ head: HTTPRequestHead) throws(HTTPParseError) {
        let codings = head.fields.values("transfer-encoding")
        let lengths = head.fields.values("content-length")
        if !codings.isEmpty {
            guard lengths.isEmpty else { throw Self.badLength(lengths) }
            guard head.minorVersion >= 1, codings.count == 1,
                codings[0].lowercased() == "chunked"
            else {
                throw .badTransferCoding(
                    HTTPParseError.quoted(codings.joined(separator: ", ").utf8))
            }
            self = .chunked
        } else if let first = lengths.first {
            guard lengths.count == 1, let length = Self.number(first) else {
                throw Self.badLength(lengths)
            }
            self = .length(length)
        } else {
            self = .none
        }
    }

    /// At most 18 digits, so that it fits.
    private static func number(_ text: String) -> Int? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy(HTTPText.isDigit) else {
            return nil
        }
        return Int(text)
    }

    private static func badLength(_ lengths: [String]) -> HTTPParseError {
        .badContentLength(HTTPParseError.quoted(lengths.joined(separator: ", ").utf8))
    }
}
