internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// Whose listener is believed to be a node that this deployex dials.
///
/// The name of an instance is free in EPMD as long as it restarts, and anybody may take it. So an instance's
/// node is believed only when its own processes listen there.
final class InstanceTrust: Sendable {
    private struct Served: Sendable {
        var directory: InstanceDirectory
        var deployers: [String: Deployer]
    }

    private let users: TrustedUsers
    private let host: String
    private let served = Guarded<Served?>(nil)

    /// - Parameters:
    ///   - users: those that are believed for every node.
    ///   - host: this host, as it is in the instances' names.
    init(_ users: TrustedUsers, host: String) {
        self.users = users
        self.host = host
    }

    /// From now on the instances are known.
    func serve(_ applications: [ServedApplication]) {
        let directory = InstanceDirectory(
            applications.map {
                .init(name: $0.configuration.name, replicas: $0.configuration.replicas)
            })
        let deployers = Dictionary(
            applications.map { ($0.configuration.name, $0.deployer) }, uniquingKeysWith: { $1 })
        served.withLock { $0 = Served(directory: directory, deployers: deployers) }
    }

    /// What is believed to be `node`.
    func trust(_ node: NodeName) async -> ListenerTrust {
        let plain = ListenerTrust(users: users, remedy: CommandTrust.remedy)
        guard node.host == host, let served = served.withLock({ $0 }),
            let instance = served.directory.instance(alive: node.alive),
            let deployer = served.deployers[instance.app]
        else { return plain }
        let sockets = await deployer.sockets(ofInstance: instance.index)
        var trust = plain
        // Its own user is believed for it alone.
        if let user = await offload({ sockets?.user }) { trust.users = users.adding(user) }
        trust.check = { Self.refusal(of: $0, sockets, instance) }
        return trust
    }

    private static func refusal(
        of listeners: Set<ListeningSocket>, _ sockets: SessionSockets?, _ instance: InstanceName
    ) -> String? {
        guard let sockets else {
            return "is not \(instance), of which no process runs: stop what has taken its name"
        }
        switch sockets.hold(Set(listeners.map(\.inode))) {
        case .held: return nil
        // Its user is all that can be known.
        case .unknown: return nil
        case .notHeld:
            return "is no process of \(instance), OS process \(sockets.pid): stop what has taken "
                + "its name"
        }
    }
}
