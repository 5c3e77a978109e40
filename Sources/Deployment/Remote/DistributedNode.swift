package import ErlDist
package import ExternalTermFormat

/// A ``RemoteNode`` that is reached over the Erlang distribution.
package struct DistributedNode: RemoteNode {
    private let node: Node
    private let name: NodeName

    /// - Parameters:
    ///   - node: our own node.
    ///   - name: the node to call.
    package init(_ name: NodeName, from node: Node) {
        self.name = name
        self.node = node
    }

    package func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        do throws(CallError) {
            return try await node.call(
                name, module, function, arguments, timeout: timeout, output: output)
        } catch {
            throw RemoteCallError(error)
        }
    }
}

extension RemoteCallError {
    package init(_ error: CallError) {
        switch error {
        case .unreachable: self = .unreachable("\(error)")
        case .wrongCookie, .refused, .limit: self = .refused("\(error)")
        case .connectionLost(let reason): self = .connectionLost("\(reason)")
        case .timedOut: self = .timedOut
        case .cancelled: self = .connectionLost("\(error)")
        case .exception, .badRPC: self = .exception("\(error)")
        }
    }
}
