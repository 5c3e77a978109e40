/// One of the replicas of an application: `counter-1`.
package struct InstanceName: Hashable, Sendable, CustomStringConvertible {
    /// The application; it has been checked to be fit for a path and a node name.
    package var app: String
    /// Counted from 1.
    package var index: Int

    package init(app: String, index: Int) {
        self.app = app
        self.index = index
    }

    /// The node's name before the `@`, and the stem of the instance's files.
    package var description: String { "\(app)-\(index)" }
}
