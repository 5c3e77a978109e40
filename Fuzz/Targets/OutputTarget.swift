import Synchronization

@testable import ErlDist
@testable import ExternalTermFormat

/// What remote functions print: I/O requests, and formats with their arguments.
enum OutputTarget {
    private static let limit = 1000

    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let formatByteCount = Int(input.byte())
        let request: Term
        do throws(TermError) {
            if formatByteCount == 0 {
                request = try Term(decoding: input.rest)
            } else {
                let format = Term.binary(input.bytes(formatByteCount))
                let arguments = input.isEmpty ? [] : try Term(decoding: input.rest)
                request = .tuple([
                    .atom("put_chars"), .atom("unicode"), .atom("io_lib"), .atom("format"),
                    [format, arguments],
                ])
            }
        } catch {
            return
        }
        let printed = Mutex(0)
        var leader = GroupLeader(maximumByteCount: limit) { text in
            printed.withLock { $0 += text.utf8.count }
        }
        let reply = leader.answer(request)
        let count = printed.withLock { $0 }
        try require(count <= limit + 40, "\(count) bytes were printed for \(request)")
        try require(reply.encoded().count <= bytes.count + 100, "a long reply: \(reply)")
    }
}
