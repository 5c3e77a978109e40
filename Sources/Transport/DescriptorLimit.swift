internal import Glibc

/// How many descriptors this process may have: getrlimit(2), RLIMIT_NOFILE.
///
/// The soft limit is 1,024 on most hosts, for programs that use select(2). This one does not, and raises it to the hard
/// one; programs that it starts get the limit that it was started with.
package struct DescriptorLimit: Equatable, Sendable {
    /// The soft limit that this process was started with, for programs that it starts.
    package let inherited: UInt64
    /// What holds now.
    package let current: UInt64
    /// What it can be raised to.
    package let hard: UInt64

    /// More than this is of no use, and closing all that may be open would take long.
    private static let most: UInt64 = 65_536

    /// This process's, raised when it is asked for first.
    package static let raised = raise()

    /// Raises the soft limit. Where that fails the limit stays as it is: less is possible then, and all the same works.
    private static func raise() -> DescriptorLimit {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return DescriptorLimit(inherited: 1024, current: 1024, hard: 1024)
        }
        let inherited = UInt64(limit.rlim_cur)
        let hard = UInt64(limit.rlim_max)
        let wanted = max(inherited, min(hard, most))
        limit.rlim_cur = rlim_t(wanted)
        let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return DescriptorLimit(
            inherited: inherited, current: isRaised ? wanted : inherited, hard: hard)
    }

    /// How many connections of one kind may be open, `wanted` at most: of all descriptors half are for connections, of which
    /// there are two kinds, and half for files, for starting programs, and for what this process connects itself.
    package func connectionCount(wanted: Int) -> Int {
        min(wanted, max(Int(clamping: current / 4), 8))
    }
}
