import ErlDist
import ExternalTermFormat
import Supervisor
import Transport

@testable import Deployment

/// Where there is nothing to deploy.
struct EmptyStore: ReleaseStore {
    let catalog = "nowhere"

    func current() async throws(StoreError) -> Release? { nil }

    func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        preconditionFailure("Nothing is published")
    }
}

struct UnreachableNode: RemoteNode {
    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        throw .unreachable("there is no node")
    }
}
