internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// Decides who is believed to be an instance's node. If this deployex dials the node, it checks who
/// listens; if the node has connected itself, it checks whose socket that is.
///
/// The name of an instance is free in EPMD while the instance restarts, and anybody may take it.
/// Whoever has the cookie may claim the name in a handshake. So an instance's node is believed only
/// if the instance's own processes hold the socket.
final class InstanceTrust: Sendable {
    private let users: TrustedUsers
    private let host: String
    private let directory: InstanceDirectory
    /// The deployers by application; empty before the applications are served.
    private let deployers = Guarded<[String: Deployer]>([:])

    /// - Parameters:
    ///   - users: those that are believed for every node.
    ///   - host: this host, as the instances' names have it.
    init(_ users: TrustedUsers, host: String, _ directory: InstanceDirectory) {
        self.users = users
        self.host = host
        self.directory = directory
    }

    /// Makes the instances' processes known from now on.
    func serve(_ applications: [ServedApplication]) {
        let served = Dictionary(
            applications.map { ($0.configuration.name, $0.deployer) }, uniquingKeysWith: { $1 })
        deployers.withLock { $0 = served }
    }

    /// The instance that has this node's name.
    private func instance(_ node: NodeName) -> InstanceName? {
        node.host == host ? directory.instance(alive: node.alive) : nil
    }

    private func sockets(of instance: InstanceName) async -> SessionSockets? {
        let deployer = deployers.withLock { $0[instance.app] }
        return await deployer?.sockets(ofInstance: instance.number)
    }

    // MARK: Dialled

    /// Who is believed to be `node`.
    func trust(_ node: NodeName) async -> ListenerTrust {
        let plain = ListenerTrust(users: users, remedy: CommandTrust.remedy)
        guard let instance = instance(node) else { return plain }
        let sockets = await sockets(of: instance)
        var trust = plain
        // The instance's own user is believed only for this node.
        if let user = await offload({ sockets?.user }) { trust.users = users.adding(user) }
        trust.check = { listeners in
            guard let sockets else {
                return NameTaker.refusal(
                    of: listeners,
                    "is not \(instance), of which no process runs: stop what has taken its name")
            }
            guard Self.isRefused(Set(listeners.map(\.inode)), sockets) else { return nil }
            return NameTaker.refusal(of: listeners, Self.text(sockets, instance))
        }
        return trust
    }

    // MARK: Connecting itself

    /// Why `node`, which has connected from `peer` to `own`, is refused; `nil` when it is let in.
    /// Every node that does not have an instance's name is let in.
    func refusal(
        of node: NodeName, from peer: SocketAddress, to own: SocketAddress
    ) async -> String? {
        guard let instance = instance(node) else { return nil }
        // deployex dials the instance as well, so refusing it too early loses nothing.
        guard let sockets = await sockets(of: instance) else {
            return "it is not \(instance), of which no process runs"
        }
        return await offload {
            do throws(SystemError) {
                let socket = try ConnectingSocket.find(peer: peer, own: own)
                // Search the instance's processes only for a socket that may be the instance's.
                guard let socket, socket.user == sockets.user else {
                    return "it " + Self.text(sockets, instance)
                }
                guard Self.isRefused([socket.inode], sockets) else { return nil }
                return "it " + Self.text(sockets, instance)
                    + NameTaker.words([socket.inode], of: socket.user)
            } catch {
                return "whether it is \(instance) cannot be found out: \(error)"
            }
        }
    }

    private static func isRefused(_ inodes: Set<UInt64>, _ sockets: SessionSockets) -> Bool {
        switch sockets.hold(inodes) {
        // If the holder is unknown, the socket's user is all that can be known.
        case .held, .unknown: false
        case .notHeld: true
        }
    }

    private static func text(_ sockets: SessionSockets, _ instance: InstanceName) -> String {
        "is no process of \(instance), OS process \(sockets.pid): stop what has taken its name"
    }
}
