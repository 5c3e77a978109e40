internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// The node of an instance: the application's name and the instance's number, on this host.
struct InstanceNode: RemoteNode {
    let alive: String
    let host: String
    let node: Node

    /// The certificate that it has shown; `nil` without TLS, or if it is not connected.
    var certificate: TLSCertificate? {
        get async {
            do throws(NodeNameError) {
                return await node.certificate(of: try NodeName(alive: alive, host: host))
            } catch {
                return nil
            }
        }
    }

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        let name: NodeName
        do throws(NodeNameError) {
            name = try NodeName(alive: alive, host: host)
        } catch {
            throw .unreachable("\(error)")
        }
        return try await DistributedNode(name, from: node).call(
            module, function, arguments, timeout: timeout, output: output)
    }
}
