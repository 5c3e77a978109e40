/// Which connections are in their handshake, or otherwise those of strangers, and which of them makes room for one
/// more.
///
/// Whoever opens connections and says nothing must not keep others away. So when there are too many, the
/// oldest of the source that holds most of them goes: another source has the whole time for its
/// handshake, and of the same one a newcomer still has as long as it takes to open so many again.
struct AcceptedHandshakes<ID: Hashable & Sendable, Source: Hashable & Sendable>: Sendable {
    private struct Entry {
        var id: ID
        var source: Source
    }

    private let limit: Int
    /// Oldest first.
    private var entries: [Entry] = []

    /// - Precondition: `limit` is positive.
    init(limit: Int) {
        precondition(limit > 0, "There is room for a handshake")
        self.limit = limit
    }

    var count: Int { entries.count }

    /// A connection from `source` begins its handshake.
    /// - Returns: the one that makes room for it.
    mutating func begin(_ id: ID, from source: Source) -> ID? {
        entries.append(Entry(id: id, source: source))
        guard entries.count > limit else { return nil }
        var counts: [Source: Int] = [:]
        for entry in entries { counts[entry.source, default: 0] += 1 }
        let most = counts.values.max()
        // Of sources that have as many, the oldest connection goes.
        guard let victim = entries.firstIndex(where: { counts[$0.source] == most }) else {
            preconditionFailure("One of the sources has most")
        }
        return entries.remove(at: victim).id
    }

    /// What was `former` is `id` from now on, as old and of the same source.
    mutating func replace(_ former: ID, by id: ID) {
        guard let index = entries.firstIndex(where: { $0.id == former }) else { return }
        entries[index].id = id
    }

    /// A handshake has ended, well or not.
    mutating func end(_ id: ID) {
        entries.removeAll { $0.id == id }
    }

    mutating func removeAll() {
        entries = []
    }
}
