/// How a response's content ends. Source: RFC 9112, section 6.3.
package enum HTTPBodyFraming: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
    case untilClose

    /// - Parameter head: the head of the response to a GET.
    package init(_ head: HTTPResponseHead) throws(HTTPParseError) {
        let codings = head.elements("transfer-encoding").map { $0.lowercased() }
        let lengths = head.elements("content-length")
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
            guard lengths.allSatisfy({ $0 == first }), first.utf8.count <= 18,
                first.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let length = Int(first)
            else {
                throw .badContentLength(
                    HTTPParseError.quoted(lengths.joined(separator: ", ").utf8))
            }
            self = .length(length)
        } else {
            // Rule 8.
            self = .untilClose
        }
    }
}
