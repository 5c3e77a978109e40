internal import Supervisor

/// What the deployment engine needs to know of one monitored application.
package struct EngineConfiguration: Equatable, Sendable {
    package var application: String
    /// Instances are numbered 1 to `replicas`.
    package var replicas: Int
    package var timings: Timings
    package var readiness: ReadinessCriteria

    package init(
        application: String, replicas: Int, timings: Timings = Timings(),
        readiness: ReadinessCriteria = ReadinessCriteria()
    ) {
        precondition(replicas >= 1, "An application has at least one instance")
        self.application = application
        self.replicas = replicas
        self.timings = timings
        self.readiness = readiness
    }

    /// What an instance must show before it counts as ready.
    package struct ReadinessCriteria: Equatable, Sendable {
        /// Whether its node can be asked over the distribution.
        package var usesDistribution = true
        /// Without distribution: alive for so long is ready.
        package var aliveFor: Duration = .seconds(10)
        /// The applications that must be started; `nil` for those that the release cannot do without.
        package var applications: [String]?

        package init() {}
    }

    package struct Timings: Equatable, Sendable {
        /// Between two reads of the catalog when nothing announces a change.
        package var pollInterval: Duration = .seconds(5)
        /// From SIGTERM to SIGKILL.
        package var stopTimeout: Duration = .seconds(10)
        /// How long a new version has to become ready before it is rolled back.
        package var readyTimeout: Duration = .seconds(600)
        /// More crashes of a new version than this, within `readyTimeout`, and it is rolled back.
        package var maximumCrashes = 3
        /// Between two probes of an instance that is not ready yet.
        package var readinessInterval: Duration = .milliseconds(200)
        /// From the end of one probe of an instance that is ready to the next.
        package var livenessInterval: Duration = .seconds(1)
        /// After this an instance that was ready does not respond.
        package var livenessTimeout: Duration = .milliseconds(800)
        /// So many probes in a row without a response, and the instance is killed and started again.
        package var livenessFailures = 10
        /// An instance that has not become ready for this long gets a line in the log that says why.
        package var slowStartNotice: Duration = .seconds(5)
        /// Between two attempts at a deployment that failed before it changed anything: the first
        /// delay; it doubles up to `maximumRetryDelay`.
        package var retryDelay: Duration = .seconds(5)
        package var maximumRetryDelay: Duration = .seconds(300)
        /// For all pre-commands of a release together.
        package var preCommandTimeout: Duration = .seconds(600)

        package init() {}
    }
}
