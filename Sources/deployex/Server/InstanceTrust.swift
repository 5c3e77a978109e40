internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// Who is believed to be an instance's node: whose listener, where this deployex dials it, and
/// whose socket, where it has connected itself.
///
/// The name of an instance is free in EPMD as long as it restarts, and anybody may take it; whoever
/// has the cookie may give it to itself in a handshake. So an instance's node is believed only when
/// its own processes hold the socket.
final class InstanceTrust: Sendable {
    private let users: TrustedUsers
    private let host: String
    private let directory: InstanceDirectory
    /// By application; none before they are served.
    private let deployers = Guarded<[String: Deployer]>([:])

    /// - Parameters:
    ///   - users: those that are believed for every node.
    ///   - host: this host, as it is in the instances' names.
    init(_ users: TrustedUsers, host: String, _ applications: [ApplicationConfiguration]) {
        self.users = users
        self.host = host
        directory = InstanceDirectory(
            applications.map { .init(name: $0.name, replicas: $0.replicas) })
    }

    /// From now on the instances' processes are known.
    func serve(_ applications: [ServedApplication]) {
        let served = Dictionary(
            applications.map { ($0.configuration.name, $0.deployer) }, uniquingKeysWith: { $1 })
        deployers.withLock { $0 = served }
    }

    /// The instance whose name a node has.
    private func instance(_ node: NodeName) -> InstanceName? {
        node.host == host ? directory.instance(alive: node.alive) : nil
    }

    private func sockets(of instance: InstanceName) async -> SessionSockets? {
        let deployer = deployers.withLock { $0[instance.app] }
        return await deployer?.sockets(ofInstance: instance.number)
    }

    // MARK: Dialled

    /// What is believed to be `node`.
    func trust(_ node: NodeName) async -> ListenerTrust {
        let plain = ListenerTrust(users: users, remedy: CommandTrust.remedy)
        guard let instance = instance(node) else { return plain }
        let sockets = await sockets(of: instance)
        var trust = plain
        // Its own user is believed for it alone.
        if let user = await offload({ sockets?.user }) { trust.users = users.adding(user) }
        trust.check = { Self.refusal(of: $0, sockets, instance) }
        return trust
    }

    // MARK: Connecting itself

    /// Why `node`, which has connected from `peer` to `own`, is not let in; `nil` when it is. Every
    /// other node than an instance's is.
    func refusal(
        of node: NodeName, from peer: SocketAddress, to own: SocketAddress
    ) async -> String? {
        guard let instance = instance(node) else { return nil }
        // An instance is dialled as well: nothing is lost when it comes too early.
        guard let sockets = await sockets(of: instance) else {
            return "it is not \(instance), of which no process runs"
        }
        return await offload {
            let socket: ConnectingSocket?
            do throws(SystemError) {
                socket = try ConnectingSocket.find(peer: peer, own: own)
            } catch {
                return "whether it is \(instance) cannot be found out: \(error)"
            }
            let isOfUser = socket != nil && socket?.user == sockets.user
            // Its processes are looked through only for one that may be the instance's.
            let answer = isOfUser ? socket.map { sockets.hold([$0.inode]) } : .notHeld
            switch answer {
            case .held: return nil
            // Its user is all that can be known.
            case .unknown: return nil
            case .notHeld, nil:
                return
                    "it is no process of \(instance), OS process \(sockets.pid): stop what has taken "
                    + "its name"
            }
        }
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
