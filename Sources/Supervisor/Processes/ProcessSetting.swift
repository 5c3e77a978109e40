package import Transport

/// The user and the limits with which a program runs. For each `nil`, deployex's own value holds.
package struct ProcessSetting: Equatable, Sendable {
    /// The program gets this user's ids and groups and loses all of ours, for good. Only root can
    /// do this.
    package var user: ProcessUser?
    /// The permissions that files made by the program do not get.
    package var umask: UInt32?
    package var descriptorLimit: ResourceLimit?
    package var coreLimit: ResourceLimit?
    /// Whether the program gets the usual niceness and oom_score_adj, 0, in place of ours.
    package var hasUsualPriority = false
    /// Descriptors beyond the standard ones. The caller keeps its own open until the start is over.
    package var passed: [PassedDescriptor]

    package init(
        user: ProcessUser? = nil, umask: UInt32? = nil, descriptorLimit: ResourceLimit? = nil,
        coreLimit: ResourceLimit? = nil, passed: [PassedDescriptor] = []
    ) {
        self.user = user
        self.umask = umask
        self.descriptorLimit = descriptorLimit
        self.coreLimit = coreLimit
        self.passed = passed
    }

    /// For errors: " as shop", or nothing.
    var asWhom: String { user.map { " as \($0.name)" } ?? "" }
}

/// A descriptor of ours, and its number in a program: from 3 on, below 256, each used once.
package struct PassedDescriptor: Equatable, Sendable {
    package var source: Int32
    package var target: Int32

    package init(source: Int32, target: Int32) {
        self.source = source
        self.target = target
    }
}

/// How many descriptors an instance may have.
package enum DescriptorAllowance {
    /// Enough for the ports that a virtual machine makes room for by default, and no more: some
    /// programs do work for every descriptor that they may have.
    package static let usual: UInt64 = 65_536

    /// - Parameters:
    ///   - wanted: what is configured, if anything.
    ///   - hard: deployex's own hard limit.
    /// - Returns: the limits. The hard limit is raised if more is wanted, which only root can do.
    package static func limit(wanted: UInt64?, hard: UInt64) -> ResourceLimit {
        guard let wanted else { return ResourceLimit(soft: usual) }
        return ResourceLimit(soft: wanted, hard: wanted > hard ? wanted : nil)
    }
}
