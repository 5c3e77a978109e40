internal import Glibc

/// How much of something a process may have. Source: setrlimit(2).
package struct ResourceLimit: Equatable, Sendable {
    package enum Resource: Sendable {
        case descriptors, coreBytes

        fileprivate var number: Int32 {
            switch self {
            case .descriptors: Int32(RLIMIT_NOFILE.rawValue)
            case .coreBytes: Int32(RLIMIT_CORE.rawValue)
            }
        }
    }

    /// The limit in force.
    package var soft: UInt64
    /// How far the process may raise ``soft``. `nil` keeps the hard limit that the process starts
    /// with, which ``soft`` does not exceed.
    package var hard: UInt64?

    package init(soft: UInt64, hard: UInt64? = nil) {
        self.soft = soft
        self.hard = hard
    }

    /// This process's own limit.
    package static func current(_ resource: Resource) -> ResourceLimit? {
        var limit = rlimit()
        guard getrlimit(resource.number, &limit) == 0 else { return nil }
        return ResourceLimit(soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
    }

    /// Makes `soft` this process's own limit, but no higher than the hard limit, which stays.
    /// - Returns: whether that succeeded.
    @discardableResult
    package static func set(_ resource: Resource, to soft: UInt64) -> Bool {
        var limit = rlimit()
        guard getrlimit(resource.number, &limit) == 0 else { return false }
        limit.rlim_cur = min(rlim_t(soft), limit.rlim_max)
        return setrlimit(resource.number, &limit) == 0
    }
}
