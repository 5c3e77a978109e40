internal import ExternalTermFormat

/// How many calls of other nodes may run at the same time, and with how many bytes.
struct CallBudget {
    struct Limits: Equatable, Sendable {
        /// Calls that run, all together and of one peer.
        var count = 1024
        var countOfPeer = 512
        /// Bytes of all calls that run, as they came.
        var byteCount = 16 << 20
    }

    private let limits: Limits
    private(set) var count = 0
    private(set) var byteCount = 0
    private var countOfPeer: [Atom: Int] = [:]

    init(limits: Limits) {
        self.limits = limits
    }

    /// Whether one more call may run. A single one may have any size.
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
