/// How many descriptors this process may have.
///
/// On most hosts the soft limit is 1,024, for programs that use select(2). This program does not
/// use it, and raises the soft limit to the hard one, but not above 65,536. Instances get a limit
/// of their own: 65,536, or `max_open_files`.
package struct DescriptorLimit: Equatable, Sendable {
    /// The limits now.
    package let current: UInt64

    /// A higher limit is of no use, and closing all descriptors that may be open would take long.
    private static let most: UInt64 = 65_536

    /// The process's limit; the first use raises it.
    package static let raised = raise()

    /// Raises the soft limit. If that fails, fewer connections are possible.
    private static func raise() -> DescriptorLimit {
        guard let limit = ResourceLimit.current(.descriptors) else {
            return DescriptorLimit(current: 1024)
        }
        let wanted = max(limit.soft, min(limit.hard ?? limit.soft, most))
        let isRaised = ResourceLimit.set(.descriptors, to: wanted)
        return DescriptorLimit(current: isRaised ? wanted : limit.soft)
    }

    /// How many connections of one kind may be open, at most `wanted`. Half of all descriptors are
    /// for connections, of which there are two kinds. The other half is for files, for starting
    /// programs, and for connections that this process makes itself.
    package func connectionCount(wanted: Int) -> Int {
        min(wanted, max(Int(clamping: current / 4), 8))
    }

    /// How many connections a program that does little else may have, at most `wanted`.
    package func connectionCount(ofServer wanted: Int) -> Int {
        min(wanted, max(Int(clamping: current) - 24, 8))
    }
}
