package import Transport

/// How many terminals there may be, and how long each may last. It reads no clock.
package struct TerminalDesk<Owner: Hashable & Sendable>: Sendable {
    package struct Limits: Equatable, Sendable {
        /// Terminals at a time. Default: 20.
        package var count = 20
        /// Of one owner. Default: 4.
        package var countOfOwner = 4
        /// Without input. Default: 30 minutes.
        package var idleTime: Duration = .seconds(30 * 60)
        /// In all. Default: 8 hours.
        package var wholeTime: Duration = .seconds(8 * 60 * 60)
        /// Without anybody who reads, such as after a page was closed. Default: one minute.
        package var unreadTime: Duration = .seconds(60)

        package init() {}
    }

    package enum Refusal: Error, Equatable {
        case tooMany(limit: Int)
        case tooManyOfOwner(limit: Int)
    }

    /// Why a terminal is ended.
    package enum End: String, Equatable, Sendable {
        case idle = "nothing was typed for too long"
        case old = "it was open for too long"
        case unread = "nobody shows it any more"
        case owner = "its session has ended"
        case asked = "it was closed"
        case server = "deployex is ending"
    }

    private struct Entry {
        var owner: Owner
        var whole: MonotonicTime
        var idle: MonotonicTime
        /// `nil` while somebody reads.
        var unread: MonotonicTime?
        var readerCount = 0
        var hasEnded = false
    }

    private let limits: Limits
    private var entries: [String: Entry] = [:]

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    package var count: Int { entries.count }

    package mutating func open(
        _ id: String, for owner: Owner, at now: MonotonicTime
    ) throws(Refusal) {
        precondition(entries[id] == nil, "An identifier is used once")
        guard entries.count < limits.count else { throw .tooMany(limit: limits.count) }
        guard entries.values.count(where: { $0.owner == owner }) < limits.countOfOwner else {
            throw .tooManyOfOwner(limit: limits.countOfOwner)
        }
        entries[id] = Entry(
            owner: owner, whole: now + limits.wholeTime, idle: now + limits.idleTime,
            unread: now + limits.unreadTime)
    }

    /// Whether there is such a terminal, and it is this owner's.
    package func isOpen(_ id: String, for owner: Owner) -> Bool { entries[id]?.owner == owner }

    package mutating func typed(_ id: String, at now: MonotonicTime) {
        entries[id]?.idle = now + limits.idleTime
    }

    package mutating func readerCame(_ id: String) {
        entries[id]?.readerCount += 1
        entries[id]?.unread = nil
    }

    package mutating func readerWent(_ id: String, at now: MonotonicTime) {
        guard let entry = entries[id] else { return }
        precondition(entry.readerCount > 0, "Only a reader that came can go")
        entries[id]?.readerCount -= 1
        if entry.readerCount == 1 { entries[id]?.unread = now + limits.unreadTime }
    }

    /// Its program has ended. It stays until nobody reads it.
    package mutating func ended(_ id: String, at now: MonotonicTime) {
        guard let entry = entries[id] else { return }
        entries[id]?.hasEnded = true
        entries[id]?.whole = Self.never
        entries[id]?.idle = Self.never
        if entry.readerCount == 0 { entries[id]?.unread = now + limits.unreadTime }
    }

    private static var never: MonotonicTime { MonotonicTime(nanoseconds: .max) }

    package mutating func closed(_ id: String) {
        entries[id] = nil
    }

    package func terminals(of owner: Owner) -> [String] {
        entries.filter { $0.value.owner == owner }.map(\.key).sorted()
    }

    /// The terminals of an owner whose programs have ended.
    package func ended(of owner: Owner) -> [String] {
        entries.filter { $0.value.owner == owner && $0.value.hasEnded }.map(\.key).sorted()
    }

    /// The terminals that are to be ended now, and why.
    package func due(at now: MonotonicTime) -> [(id: String, end: End)] {
        entries.sorted { $0.key < $1.key }.compactMap { id, entry in
            if entry.whole <= now { return (id, .old) }
            if entry.idle <= now { return (id, .idle) }
            if let unread = entry.unread, unread <= now { return (id, .unread) }
            return nil
        }
    }

    /// When the next one may be due; `nil` if there is none.
    package var next: MonotonicTime? {
        entries.values.flatMap { [$0.whole, $0.idle] + ($0.unread.map { [$0] } ?? []) }.min()
    }
}
