/// How many descriptors this process may have.
///
/// The soft limit is 1,024 on most hosts, for programs that use select(2). This one does not, and
/// raises it to the hard one. Instances get a limit of their own: 65,536, or `max_open_files`.
package struct DescriptorLimit: Equatable, Sendable {
    /// The limits now.
    package let current: UInt64

    /// More than this is of no use, and closing all that may be open would take long.
    private static let most: UInt64 = 65_536

    /// The process's limit, which the first use raises.
    package static let raised = raise()

    /// Raises the soft limit. Where that fails, fewer connections are possible.
    private static func raise() -> DescriptorLimit {
        guard let limit = ResourceLimit.current(.descriptors) else {
            return DescriptorLimit(current: 1024)
        }
        let wanted = max(limit.soft, min(limit.hard ?? limit.soft, most))
        let isRaised = ResourceLimit.set(.descriptors, to: wanted)
        return DescriptorLimit(current: isRaised ? wanted : limit.soft)
    }

    /// How many connections of one kind may be open, `wanted` at most: of all descriptors half are
    /// for connections, of which there are two kinds, and half for files, for starting programs,
    /// and for what this process connects itself.
    package func connectionCount(wanted: Int) -> Int {
        min(wanted, max(Int(clamping: current / 4), 8))
    }

    /// How many connections a program that does little else may have, `wanted` at most.
    package func connectionCount(ofServer wanted: Int) -> Int {
        min(wanted, max(Int(clamping: current) - 24, 8))
    }
}
