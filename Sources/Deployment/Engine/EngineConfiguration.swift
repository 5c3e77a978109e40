internal import Supervisor

/// What the deployment engine needs to know of one monitored application.
package struct EngineConfiguration: Equatable, Sendable {
    package var application: String
    /// Instances are numbered 1 to `replicas`.
    package var replicas: Int
    package var timings: Timings

    package init(application: String, replicas: Int, timings: Timings = Timings()) {
        precondition(replicas >= 1, "An application has at least one instance")
        self.application = application
        self.replicas = replicas
        self.timings = timings
    }

    package struct Timings: Equatable, Sendable {
        /// Between two reads of the catalog when nothing announces a change.
        package var pollInterval: Duration = .seconds(5)
        /// From SIGTERM to SIGKILL.
        package var stopTimeout: Duration = .seconds(10)
        /// How long a new version has to become ready before its rollout is given up.
        package var readyTimeout: Duration = .seconds(600)
        /// Between two probes of an instance that is not ready yet.
        package var readinessInterval: Duration = .milliseconds(200)
        /// Between two probes of an instance that is ready.
        package var livenessInterval: Duration = .seconds(5)
        /// An instance that has not become ready for this long gets a line in the log that says why.
        package var slowStartNotice: Duration = .seconds(5)
        /// Between two attempts at a deployment that failed before it changed anything: the first
        /// delay; it doubles up to `maximumRetryDelay`.
        package var retryDelay: Duration = .seconds(5)
        package var maximumRetryDelay: Duration = .seconds(300)

        package init() {}
    }
}
