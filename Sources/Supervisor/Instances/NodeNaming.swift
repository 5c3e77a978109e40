/// How the nodes of instances are named: as deployex's own node, by a short or a long name.
///
/// Source: `release_distribution` in the script that `mix release` makes.
package enum NodeNaming: Equatable, Sendable {
    /// `-sname counter-1`. The virtual machine adds the host's name.
    case short
    /// `-name counter-1@HOST`. The virtual machine would not always find the same host.
    case long(host: String)

    /// The name of an instance's node as its virtual machine takes it.
    package func nodeName(of instance: InstanceName) -> String {
        switch self {
        case .short: "\(instance)"
        case .long(let host): "\(instance)@\(host)"
        }
    }

    /// The virtual machine's switch without its dash. `RELEASE_DISTRIBUTION` has the same words.
    package var kind: String {
        switch self {
        case .short: "sname"
        case .long: "name"
        }
    }

    /// The variables by which a release of `mix release` gives its node a name. Exports of its own
    /// `env.sh` win.
    package func variables(of instance: InstanceName) -> [String: String] {
        ["RELEASE_NODE": nodeName(of: instance), "RELEASE_DISTRIBUTION": kind]
    }
}
