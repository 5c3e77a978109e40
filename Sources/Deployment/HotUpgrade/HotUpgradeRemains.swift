internal import Supervisor

extension HotUpgrade {
    /// What the node has of the old release after an upgrade that succeeded.
    package struct Remains: Equatable, Sendable {
        /// The modules that run old code; `nil` if the node did not say.
        package var modules: [String]?
        /// The children that no supervisor has started, and that are new.
        package var children: [String]

        package init(modules: [String]? = [], children: [String] = []) {
            self.modules = modules
            self.children = children
        }
    }
}

extension HotUpgrade.Remains {
    /// What waits for a restart after the upgrade. The node has said which modules run old code
    /// now. A child of an earlier upgrade is not started by this one.
    func added(to before: PendingRestart) -> PendingRestart {
        var pending = before
        if let modules {
            pending.modules = modules.isEmpty ? nil : "old code runs: \(listed(modules))"
        }
        pending.add(children)
        return pending
    }

    /// For people; `nil` if nothing is left.
    var text: String? { added(to: PendingRestart()).text }
}
