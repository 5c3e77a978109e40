/// A limited set of strangers' connections, and the choice of the connection that makes room for
/// one more.
///
/// A source that opens many connections and says nothing must not keep others out. So when there
/// are too many, the oldest connection of the source that has most is closed. Other sources keep
/// the full time for their handshake.
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
    /// - Returns: the connection that makes room for it, if any.
    mutating func begin(_ id: ID, from source: Source) -> ID? {
        entries.append(Entry(id: id, source: source))
        guard entries.count > limit else { return nil }
        var counts: [Source: Int] = [:]
        for entry in entries { counts[entry.source, default: 0] += 1 }
        let most = counts.values.max()
        // Among sources with equally many, the oldest connection goes.
        guard let victim = entries.firstIndex(where: { counts[$0.source] == most }) else {
            preconditionFailure("One of the sources has most")
        }
        return entries.remove(at: victim).id
    }

    /// Gives an entry another id. Its age and source stay.
    mutating func replace(_ former: ID, by id: ID) {
        guard let index = entries.firstIndex(where: { $0.id == former }) else { return }
        entries[index].id = id
    }

    /// A handshake has ended, with or without success.
    mutating func end(_ id: ID) {
        entries.removeAll { $0.id == id }
    }

    mutating func removeAll() {
        entries = []
    }
}
