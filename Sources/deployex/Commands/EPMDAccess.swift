internal import EPMD
internal import ErlDist
internal import Transport

/// EPMD as the environment names it: `ERL_EPMD_PORT`, `ERL_EPMD_ADDRESS`.
enum EPMDAccess {
    static func client(
        _ environment: [String: String], loop: EventLoop
    ) throws(UsageError) -> EPMDClient {
        do throws(EPMDError) {
            return EPMDClient(address: try EPMDEnvironment.clientAddress(environment), loop: loop)
        } catch {
            throw UsageError("\(error)", nil)
        }
    }

    /// Finds nodes by asking EPMD on their hosts.
    static func resolver(_ client: EPMDClient) -> Node.Resolver {
        { name in
            if let port = name.port {
                return try await SocketAddress.resolve(name.host, port: port)
            }
            return [try await client.lookUp(name: name.alive, host: name.host).address]
        }
    }
}
