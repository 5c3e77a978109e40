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
    init(_ users: TrustedUsers, host: String, _ directory: InstanceDirectory) {
        self.users = users
        self.host = host
        self.directory = directory
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
        trust.check = { listeners in
            let inodes = Set(listeners.map(\.inode))
            guard let sockets else {
                return "is not \(instance), of which no process runs: stop what has taken its name"
                    + NameTaker.words(inodes)
            }
            return Self.refusal(of: inodes, sockets, instance)
        }
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
            do throws(SystemError) {
                let socket = try ConnectingSocket.find(peer: peer, own: own)
                // Its processes are looked through only for one that may be the instance's.
                let inode = socket?.user == sockets.user ? socket?.inode : nil
                return Self.refusal(of: inode.map { [$0] }, sockets, instance).map { "it \($0)" }
            } catch {
                return "whether it is \(instance) cannot be found out: \(error)"
            }
        }
    }

    /// Why sockets are not the instance's.
    /// - Parameter inodes: `nil` where they cannot be.
    private static func refusal(
        of inodes: Set<UInt64>?, _ sockets: SessionSockets, _ instance: InstanceName
    ) -> String? {
        switch inodes.map({ sockets.hold($0) }) {
        // Of the unknown ones their user is all that can be known.
        case .held, .unknown: nil
        case .notHeld, nil:
            "is no process of \(instance), OS process \(sockets.pid): stop what has taken its name"
                + NameTaker.words(inodes ?? [])
        }
    }
}
