internal import Supervisor

extension ApplicationSnapshot {
    /// The state of an application that was not begun, with the reason: all its instances are
    /// failed.
    package static func failed(
        _ application: String, replicas: Int, problem: String
    ) -> ApplicationSnapshot {
        ApplicationSnapshot(
            application: application, problem: problem,
            instances: InstanceNumber.first(replicas).map {
                InstanceSnapshot(number: $0, status: .failed, reason: problem)
            })
    }
}
