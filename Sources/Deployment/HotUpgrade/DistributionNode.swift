package import ErlDist
package import ExternalTermFormat

/// A node that is called through ours.
package struct DistributionNode: RemoteNode {
    private let node: Node
    private let name: NodeName

    /// - Parameter node: ours, which makes the calls.
    package init(_ name: NodeName, through node: Node) {
        self.node = node
        self.name = name
    }

    package func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        do throws(CallError) {
            return try await node.call(
                name, module, function, arguments, timeout: timeout, output: output)
        } catch {
            switch error {
            case .unreachable, .wrongCookie, .refused: throw .unreachable("\(error)")
            // What the other side could not do for us it may still have begun.
            case .connectionLost, .badRPC: throw .connectionLost("\(error)")
            case .timedOut: throw .timedOut
            case .exception(let kind, let reason, _):
                throw .exception("\(kind.rawValue): \(shortened(reason))")
            }
        }
    }
}
