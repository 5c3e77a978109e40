internal import Deployment
internal import ExternalTermFormat

/// What is deployed one after the other: in full, in place, back by a rollback, and from the beginning.
struct Itinerary {
    static let versions = ["0.1.0", "0.1.1", "0.1.2", "0.2.0"]

    private enum Step {
        case publish(String)
        /// Back to the version before, which ghosts the one that is published.
        case rollBack(from: String, to: String)
        /// Lets it be deployed again, once another one is published.
        case unghost(String)
    }

    private static let steps: [Step] = [
        .publish("0.1.0"), .publish("0.1.1"), .publish("0.1.2"), .publish("0.2.0"),
        .rollBack(from: "0.2.0", to: "0.1.2"), .publish("0.1.1"), .unghost("0.2.0"),
        .publish("0.1.2"), .rollBack(from: "0.1.2", to: "0.1.1"), .publish("0.1.0"),
        .unghost("0.1.2"),
    ]

    private var index = 0
    /// Steps that were completed.
    private(set) var stepCount = 0
    /// Rollbacks that brought back another version than the one before.
    private(set) var wrongRollbacks: [String] = []

    /// What is to run everywhere at the end of the step under way.
    private(set) var version = "0.1.0"

    /// Goes on to the next step when what this one wanted is the case. A command that a killed deployex
    /// has not answered is given again.
    mutating func advance(
        _ status: StatusReport.Application, _ manager: Manager, _ site: Site
    ) async throws {
        let ghosted = status.ghosted.map(\.version)
        if case .rollBack(let from, _) = Self.steps[index], !ghosted.contains(from) {
            _ = await manager.command("rollback")
            return
        }
        if case .rollBack(let from, let to) = Self.steps[index], version == to,
            let target = status.targetVersion, target != to
        {
            wrongRollbacks.append("from \(from) to \(target) instead of \(to)")
            version = target
        }
        if case .unghost(let ghost) = Self.steps[index], ghosted.contains(ghost) {
            _ = await manager.command("unghost", [.binary(ghost)])
            return
        }
        guard status.targetVersion == version, status.allRun(version) else { return }
        stepCount += 1
        index = (index + 1) % Self.steps.count
        switch Self.steps[index] {
        case .publish(let next):
            version = next
            try site.publish(next)
        case .rollBack(_, let next): version = next
        case .unghost: break
        }
    }
}
