internal import Deployment
internal import ExternalTermFormat

/// What `deployex probe` prints.
struct HealthReport {
    let node: String
    /// The application that must be started, if any.
    let application: String?
    let health: Health

    var isHealthy: Bool {
        problem == nil
    }

    private var problem: String? {
        health.problem(requiring: application.map { [$0] } ?? [])
    }

    /// One line.
    var line: String {
        let verdict = problem.map { "not healthy: \($0)" } ?? "healthy"
        return "\(node) \(verdict), boot \(health.isBootFinished ? "finished" : "not finished"), "
            + "\(health.startedApplications.count) applications started, "
            + "memory \(Self.megabytes(health.memoryByteCount)), "
            + "run queue \(Self.text(health.runQueueLength)), "
            + "processes \(Self.text(health.processCount)), atoms \(Self.text(health.atomCount))"
    }

    var term: Term {
        .object([
            ("node", node.term), ("healthy", isHealthy.term), ("reason", .orNull(problem)),
            ("boot_finished", health.isBootFinished.term),
            ("applications", health.startedApplications.term),
            ("memory_bytes", .orNull(health.memoryByteCount)),
            ("run_queue", .orNull(health.runQueueLength)),
            ("process_count", .orNull(health.processCount)),
            ("atom_count", .orNull(health.atomCount)),
        ])
    }

    private static func text(_ value: Int?) -> String {
        value.map { "\($0)" } ?? "unknown"
    }

    private static func megabytes(_ byteCount: Int?) -> String {
        guard let byteCount, byteCount >= 0 else { return "unknown" }
        // The node may send any number, so it is made small before it is multiplied.
        let tenths = (byteCount % (1 << 20) * 10) >> 20
        return "\(byteCount >> 20).\(tenths) MiB"
    }
}
