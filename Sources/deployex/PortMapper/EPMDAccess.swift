internal import EPMD
internal import ErlDist
internal import Transport

/// EPMD as the environment configures it: `ERL_EPMD_PORT`, `ERL_EPMD_ADDRESS`.
enum EPMDAccess {
    static func client(
        _ environment: [String: String], loop: EventLoop, trust: ListenerTrust,
        ownHost: OwnHost = OwnHost()
    ) throws(UsageError) -> EPMDClient {
        do throws(EPMDError) {
            return EPMDClient(
                address: try EPMDEnvironment.clientAddress(environment), loop: loop, trust: trust,
                ownHost: ownHost)
        } catch {
            throw UsageError("\(error)", nil)
        }
    }

    /// The peers that our own EPMD answers: only this host, unless a network or an address is
    /// configured.
    static func admittedPeers(
        _ environment: [String: String]
    ) throws(UsageError) -> AdmittedPeers {
        if let networks = try ListeningOptions.networks(Settings([.variables(environment)])) {
            return .thisHost(and: networks)
        }
        return environment["ERL_EPMD_ADDRESS"]?.isEmpty == false ? .everybody : .thisHost
    }

    /// The variables for an EPMD that answers the same peers as the node.
    static func variables(
        _ environment: [String: String], admitting peers: AdmittedPeers
    ) -> [String: String] {
        let networks =
            switch peers {
            case .everybody: IPNetwork.all
            case .thisHost(let networks), .networks(let networks): networks
            }
        var variables = environment
        variables["DEPLOYEX_DIST_NETWORKS"] =
            networks.isEmpty ? nil : networks.map(\.description).joined(separator: ",")
        return variables
    }

    /// Finds nodes by asking EPMD on their hosts.
    static func resolver(_ client: EPMDClient) -> Node.Resolver {
        { name in try await client.addresses(name: name.alive, host: name.host) }
    }
}
