internal import Supervisor

extension ApplicationSnapshot {
    /// An application that was not begun, with the reason: all its instances are failed.
    package static func failed(
        _ application: String, replicas: Int, problem: String
    ) -> ApplicationSnapshot {
        ApplicationSnapshot(
            application: application, targetVersion: nil, pinnedVersion: nil, ghosted: [],
            history: [], problem: problem,
            instances: InstanceNumber.first(replicas).map { number in
                InstanceSnapshot(
                    number: number, status: .failed, current: nil, previous: nil,
                    isConnected: false, isStoppedByOperator: false, isResponding: true,
                    identity: nil, startedAt: nil, crashRestarts: 0, forcedRestarts: 0)
            })
    }
}
