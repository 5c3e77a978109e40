internal import ExternalTermFormat

/// One process's side of its links.
///
/// A link that we remove stays in the table, inactive, until the other side acknowledges the
/// removal. So the table can tell signals that were sent before the other side knew of the removal
/// from later ones.
///
/// Source: "Link Protocol", erl_dist_protocol.
struct LinkTable: Equatable {
    private enum State: Equatable {
        case active
        /// UNLINK_ID was sent with this number and is not acknowledged.
        case unlinking(UInt64)
    }

    private var states: [PID: State] = [:]

    /// The number of links in any state; all of them take memory.
    var count: Int { states.count }

    /// The processes that are linked.
    var active: [PID] {
        states.filter { $0.value == .active }.map(\.key)
    }

    /// `link/1` was called.
    /// - Returns: whether LINK is to be sent.
    mutating func link(to pid: PID) -> Bool {
        guard states[pid] != .active else { return false }
        states[pid] = .active
        return true
    }

    /// `unlink/1` was called.
    /// - Returns: whether UNLINK_ID is to be sent, with this number.
    mutating func unlink(from pid: PID, number: UInt64) -> Bool {
        guard states[pid] == .active else { return false }
        states[pid] = .unlinking(number)
        return true
    }

    /// LINK was received. It does not restore a link that we are removing: its sender gets our
    /// UNLINK_ID only after it sent this LINK.
    mutating func linkReceived(from pid: PID) {
        if states[pid] == nil { states[pid] = .active }
    }

    /// UNLINK_ID, or UNLINK, was received.
    mutating func unlinkReceived(from pid: PID) {
        if states[pid] == .active { states[pid] = nil }
    }

    /// UNLINK_ID_ACK was received. It means nothing when a later `link/1` has replaced the
    /// operation that it acknowledges.
    mutating func acknowledgementReceived(from pid: PID, number: UInt64) {
        if states[pid] == .unlinking(number) { states[pid] = nil }
    }

    /// EXIT was received, which ends a link in any state.
    /// - Returns: whether the process must react to it.
    mutating func exitReceived(from pid: PID) -> Bool {
        states.removeValue(forKey: pid) == .active
    }

    /// The connection to a node has ended.
    /// - Returns: the processes that were linked.
    mutating func removeAll(on node: Atom) -> [PID] {
        let lost = states.filter { $0.key.node == node }
        for pid in lost.keys { states[pid] = nil }
        return lost.filter { $0.value == .active }.map(\.key)
    }
}
