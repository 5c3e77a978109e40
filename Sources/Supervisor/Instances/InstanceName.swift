/// The name of one instance of an application: `counter-1`.
package struct InstanceName: Hashable, Sendable, CustomStringConvertible {
    /// The application; its name has been checked to be fit for a path and a node name.
    package var app: String
    package var number: InstanceNumber

    package init(app: String, number: InstanceNumber) {
        self.app = app
        self.number = number
    }

    /// The node's name before the `@`, and the stem of the instance's files.
    package var description: String { "\(app)-\(number)" }
}
