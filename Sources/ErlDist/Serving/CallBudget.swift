internal import ExternalTermFormat

/// How many calls from other nodes may run at the same time, and how many bytes they may have.
struct CallBudget {
    struct Limits: Equatable, Sendable {
        /// Calls that run: the limit for all together, and the limit for one peer.
        var count = 1024
        var countOfPeer = 512
        /// Bytes of all calls that run, as received.
        var byteCount = 16 << 20
    }

    private let limits: Limits
    private(set) var count = 0
    private(set) var byteCount = 0
    private var countOfPeer: [Atom: Int] = [:]

    init(limits: Limits) {
        self.limits = limits
    }

    /// Whether one more call may run. A call that runs alone may have any size.
    func hasRoom(byteCount: Int, of peer: Atom) -> Bool {
        count < limits.count && countOfPeer[peer, default: 0] < limits.countOfPeer
            && (count == 0 || self.byteCount + byteCount <= limits.byteCount)
    }

    mutating func begin(byteCount: Int, of peer: Atom) {
        count += 1
        self.byteCount += byteCount
        countOfPeer[peer, default: 0] += 1
    }

    mutating func end(byteCount: Int, of peer: Atom) {
        count -= 1
        self.byteCount -= byteCount
        countOfPeer[peer]? -= 1
        if countOfPeer[peer] == 0 { countOfPeer[peer] = nil }
    }
}
