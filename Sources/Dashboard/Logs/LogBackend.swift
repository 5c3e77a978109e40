package import Deployment
package import Supervisor

/// Where the dashboard finds logs, and learns that they go on.
package protocol LogBackend: Sendable {
    /// The applications with logs, and their instances: also those that are stopped, and those that
    /// are no longer configured.
    func logInventory() async throws(DashboardRefusal) -> [LogInventory]

    /// The logs of an application, or deployex's own: see ``LogTarget``. There is at least one.
    func logs(of target: LogTarget) async throws(DashboardRefusal) -> [LogSource]

    /// Begins to watch logs. The caller looks at them after that.
    func watch(_ logs: [LogSource]) async -> WatchedLogs

    /// Returns when one of the logs has been written to since it is watched, or after `limit`.
    func change(
        of logs: WatchedLogs, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal)
}

/// Which logs somebody wants.
package struct LogTarget: Hashable, Sendable {
    /// `deployex` for its own.
    package var application: String
    /// `nil` for all.
    package var instance: InstanceNumber?
    /// `nil` for both.
    package var stream: LogFiles.Stream?

    /// What stands for deployex itself where an application could stand.
    package static let own = "deployex"

    /// - Parameters:
    ///   - instance: a number, or `all`.
    ///   - stream: `stdout`, `stderr` or `both`.
    init(
        _ application: String, _ instance: String, _ stream: String
    ) throws(DashboardRefusal) {
        self.application = application
        if instance != "all" {
            guard let number = Int(instance).flatMap(InstanceNumber.init(rawValue:)) else {
                throw DashboardRefusal(.malformed, "an instance is a number, or \"all\"")
            }
            self.instance = number
        }
        if stream != "both" {
            guard let known = LogFiles.Stream(rawValue: stream) else {
                throw DashboardRefusal(
                    .malformed, "a stream is \"stdout\", \"stderr\" or \"both\"")
            }
            self.stream = known
        }
    }
}

/// What logs there are of an application.
package struct LogInventory: Equatable, Sendable {
    package var application: String
    package var isConfigured: Bool
    /// The instances with a log, and those that are configured.
    package var instances: [InstanceNumber]

    package init(application: String, isConfigured: Bool, instances: [InstanceNumber]) {
        self.application = application
        self.isConfigured = isConfigured
        self.instances = instances
    }
}
