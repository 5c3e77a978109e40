internal import Deployment
internal import ErlDist
internal import ExternalTermFormat

/// The node of an instance: the application's name and the instance's number, on this host.
struct InstanceNode: RemoteNode {
    let alive: String
    let host: String
    let node: Node

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
