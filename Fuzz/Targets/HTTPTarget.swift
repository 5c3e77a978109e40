@testable import HTTP

/// The receiving side of the HTTP server: what it takes from a client does not depend on how the bytes are cut,
/// and never exceeds the limits.
enum HTTPTarget {
    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let size = input.byte()
        let whole = try taken(input.pieces(of: 0))
        try require(try taken(input.pieces(of: size)) == whole, "cut otherwise, other requests")
    }

    /// The requests that are taken from `pieces`, each answered at once, and the refusal.
    private static func taken(_ pieces: [ArraySlice<UInt8>]) throws -> [HTTPServerMachine.Action] {
        var limits = HTTPServerMachine.Limits()
        limits.request.headByteCount = 512
        limits.request.fieldCount = 8
        limits.request.bodyByteCount = 256
        var machine = HTTPServerMachine(limits: limits)
        var found: [HTTPServerMachine.Action] = []
        for piece in pieces {
            var queue = machine.received(Array(piece))
            while !queue.isEmpty {
                let action = queue.removeFirst()
                switch action {
                case .answer(let head, let content, _):
                    found.append(action)
                    try check(head, content, limits.request)
                    queue += machine.answered()
                case .refuse, .finish: found.append(action)
                case .timer, .pauseReading, .resumeReading, .askForContent: break
                case .close: throw FuzzFailure(description: "closed without a reason")
                }
            }
        }
        return found
    }

    private static func check(
        _ head: HTTPRequestHead, _ content: [UInt8], _ limits: HTTPLimits
    ) throws {
        try require(content.count <= limits.bodyByteCount, "content of \(content.count) bytes")
        try require(head.fields.count <= limits.fieldCount, "\(head.fields.count) fields")
        try require(
            head.target.utf8.allSatisfy { 0x21...0x7E ~= $0 } && head.target.hasPrefix("/")
                || head.target == "*", "the target \(head.target)")
        try require(head.host != nil || head.minorVersion == 0, "no host")
        for field in head.fields {
            try require(
                !field.value.utf8.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 }, "\(field)")
        }
    }
}
