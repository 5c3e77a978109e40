internal import Supervisor

/// What the deployment engine needs to know of one monitored application.
package struct EngineConfiguration: Equatable, Sendable {
    package var application: String
    /// Instances are numbered 1 to `replicas`.
    package var replicas: Int
    package var timings: Timings
    package var readiness: ReadinessCriteria
    package var hotUpgrade = HotUpgrade.Mode.appup

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
        /// Without distribution, an instance is ready when it has lived for so long.
        package var aliveFor: Duration = .seconds(10)
        /// The applications that must be started; `nil` means those that the release requires.
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
        /// A new version that crashes more often than this within `readyTimeout` is rolled back.
        package var maximumCrashes = 3
        /// Between two probes of an instance that is not ready yet.
        package var readinessInterval: Duration = .milliseconds(200)
        /// From the end of one probe of an instance that is ready to the next.
        package var livenessInterval: Duration = .seconds(1)
        /// How long an instance that was ready may take to answer a probe.
        package var livenessTimeout: Duration = .milliseconds(800)
        /// After so many probes in a row without a response, the instance is killed and started
        /// again.
        package var livenessFailures = 10
        /// After this the log says why an instance has not become ready.
        package var slowStartNotice: Duration = .seconds(5)
        /// The first delay between two attempts at a deployment that failed before it changed
        /// anything. It doubles up to `maximumRetryDelay`.
        package var retryDelay: Duration = .seconds(5)
        package var maximumRetryDelay: Duration = .seconds(300)
        /// For all pre-commands of a release together.
        package var preCommandTimeout: Duration = .seconds(600)

        package init() {}
    }
}
