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
        if let application {
            switch health.readiness(of: application) {
            case .ready: return nil
            case .notReady(let reason), .unreachable(let reason), .unresponsive(let reason):
                return reason
            }
        }
        return health.isBootFinished ? nil : "boot is not finished: \(health.bootStatus)"
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
        let pairs: [(Atom, Term)] = [
            ("node", .binary(node)),
            ("healthy", Term(isHealthy)),
            ("reason", problem.map { .binary($0) } ?? .atom("null")),
            ("boot_finished", Term(health.isBootFinished)),
            ("applications", .list(health.startedApplications.map { .binary($0) })),
            ("memory_bytes", Self.number(health.memoryByteCount)),
            ("run_queue", Self.number(health.runQueueLength)),
            ("process_count", Self.number(health.processCount)),
            ("atom_count", Self.number(health.atomCount)),
        ]
        return .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
    }

    private static func number(_ value: Int?) -> Term {
        value.map { .integer($0) } ?? .atom("null")
    }

    private static func text(_ value: Int?) -> String {
        value.map { "\($0)" } ?? "unknown"
    }

    private static func megabytes(_ byteCount: Int?) -> String {
        guard let byteCount, byteCount >= 0 else { return "unknown" }
        // The node may say any number: nothing is multiplied before it is small.
        let tenths = (byteCount % (1 << 20) * 10) >> 20
        return "\(byteCount >> 20).\(tenths) MiB"
    }
}
