internal import ExternalTermFormat

/// The group leaders of calls that are under way, by their number. They belong to their node's
/// isolation.
final class GroupLeaders {
    private let maximumByteCount: Int
    private var leaders: [UInt32: GroupLeader] = [:]

    /// - Parameter maximumByteCount: what one call may print.
    init(maximumByteCount: Int) {
        self.maximumByteCount = maximumByteCount
    }

    func add(_ id: UInt32, output: @escaping @Sendable (String) -> Void) {
        leaders[id] = GroupLeader(maximumByteCount: maximumByteCount, output: output)
    }

    /// The call has ended: what its function prints from now on is thrown away.
    func remove(_ id: UInt32) {
        leaders[id] = nil
    }

    /// The reply to an I/O request, and how many bytes of text were made for it.
    func answer(_ request: Term, leader id: UInt32) -> (reply: Term, madeByteCount: Int) {
        guard let index = leaders.index(forKey: id) else {
            var sink = GroupLeader(maximumByteCount: 0) { _ in }
            let reply = sink.answer(request)
            return (reply, sink.madeByteCount)
        }
        let before = leaders.values[index].madeByteCount
        let reply = leaders.values[index].answer(request)
        return (reply, leaders.values[index].madeByteCount - before)
    }
}
