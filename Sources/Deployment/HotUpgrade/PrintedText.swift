internal import Transport

/// Collects the output of a call, up to what a log line can use.
final class PrintedText: Sendable {
    private static let maximumByteCount = 16 << 10

    private let content = Guarded("")

    var text: String { content.withLock { $0 } }

    func append(_ piece: String) {
        content.withLock {
            guard $0.utf8.count < Self.maximumByteCount else { return }
            $0 += piece.prefix(Self.maximumByteCount)
        }
    }
}
