/// What can be set for a server or for one of its applications: by a variable, by a key of the
/// configuration file, or by both.
enum Setting: CaseIterable {
    // Of the host.
    case basePath, logPath, cloudEnvironment, cookieFile, trustedUsers
    case distributionInterface, distributionNetworks, distributionPortMinimum
    case distributionPortMaximum, tickTime
    // Of the host and, if it says something else, of an application.
    case logMaximumBytes, logFiles
    // Of an application.
    case name, user, replicas, firstPort, environment, maximumOpenFiles
    case storageAdapter, storagePath, storageEnvironment
    case pollInterval, stopTimeout, preCommandTimeout
    case livenessInterval, livenessTimeout, livenessFailures
    case usesDistribution, readinessAlive, readinessHTTPPath, readinessHTTPTimeout
    case rollbackTimeout, rollbackCrashes

    /// Where in the file it may stand.
    enum Scope: Hashable {
        case host, application
    }

    var scopes: Set<Scope> {
        switch self {
        case .basePath, .logPath, .cloudEnvironment, .cookieFile, .trustedUsers,
            .distributionInterface, .distributionNetworks, .distributionPortMinimum,
            .distributionPortMaximum, .tickTime:
            [.host]
        case .logMaximumBytes, .logFiles:
            [.host, .application]
        case .name, .user, .replicas, .firstPort, .environment, .maximumOpenFiles,
            .storageAdapter, .storagePath, .storageEnvironment, .pollInterval, .stopTimeout,
            .preCommandTimeout,
            .livenessInterval, .livenessTimeout, .livenessFailures, .usesDistribution,
            .readinessAlive, .readinessHTTPPath, .readinessHTTPTimeout, .rollbackTimeout,
            .rollbackCrashes:
            [.application]
        }
    }

    /// The key in the configuration file; a dot leads into an object.
    var key: String {
        switch self {
        case .basePath: "base_path"
        case .logPath: "log_path"
        case .cloudEnvironment: "cloud_environment"
        case .cookieFile: "cookie_file"
        case .trustedUsers: "trusted_users"
        case .distributionInterface: "distribution.interface"
        case .distributionNetworks: "distribution.networks"
        case .distributionPortMinimum: "distribution.port_min"
        case .distributionPortMaximum: "distribution.port_max"
        case .tickTime: "distribution.tick_time"
        case .logMaximumBytes: "log.max_bytes"
        case .logFiles: "log.files"
        case .name: "name"
        case .user: "user"
        case .replicas: "replicas"
        case .firstPort: "first_port"
        case .environment: "environment"
        case .maximumOpenFiles: "max_open_files"
        case .storageAdapter: "storage.adapter"
        case .storagePath: "storage.path"
        case .storageEnvironment: "storage.environment"
        case .pollInterval: "timings.poll_interval"
        case .stopTimeout: "timings.stop_timeout"
        case .preCommandTimeout: "timings.pre_command_timeout"
        case .livenessInterval: "timings.liveness_interval"
        case .livenessTimeout: "timings.liveness_timeout"
        case .livenessFailures: "timings.liveness_failures"
        case .usesDistribution: "readiness.distribution"
        case .readinessAlive: "readiness.alive_seconds"
        case .readinessHTTPPath: "readiness.http_path"
        case .readinessHTTPTimeout: "readiness.http_timeout"
        case .rollbackTimeout: "rollback.timeout"
        case .rollbackCrashes: "rollback.crashes"
        }
    }

    /// The environment variable; `nil` for what only the file can say.
    var variable: String? {
        switch self {
        case .basePath: "DEPLOYEX_BASE_PATH"
        case .logPath: "DEPLOYEX_LOG_PATH"
        case .cloudEnvironment: "DEPLOYEX_CLOUD_ENVIRONMENT"
        case .cookieFile: "DEPLOYEX_COOKIE_FILE"
        case .trustedUsers: "DEPLOYEX_TRUSTED_USERS"
        case .distributionInterface: "DEPLOYEX_DIST_INTERFACE"
        case .distributionNetworks: "DEPLOYEX_DIST_NETWORKS"
        case .distributionPortMinimum: "DEPLOYEX_DIST_PORT_MIN"
        case .distributionPortMaximum: "DEPLOYEX_DIST_PORT_MAX"
        case .tickTime: "DEPLOYEX_NET_TICKTIME"
        case .logMaximumBytes: "DEPLOYEX_LOG_MAX_BYTES"
        case .logFiles: "DEPLOYEX_LOG_FILES"
        case .name: "DEPLOYEX_MONITORED_APP_NAME"
        case .user: "DEPLOYEX_MONITORED_APP_USER"
        case .replicas: "DEPLOYEX_MONITORED_REPLICAS"
        case .firstPort: "DEPLOYEX_MONITORED_APP_PORT"
        case .maximumOpenFiles: "DEPLOYEX_MONITORED_APP_MAX_OPEN_FILES"
        case .environment, .storageEnvironment: nil
        case .storageAdapter: "DEPLOYEX_STORAGE_ADAPTER"
        case .storagePath: "DEPLOYEX_STORAGE_PATH"
        case .pollInterval: "DEPLOYEX_POLL_INTERVAL"
        case .stopTimeout: "DEPLOYEX_STOP_TIMEOUT"
        case .preCommandTimeout: "DEPLOYEX_PRE_COMMAND_TIMEOUT"
        case .livenessInterval: "DEPLOYEX_LIVENESS_INTERVAL"
        case .livenessTimeout: "DEPLOYEX_LIVENESS_TIMEOUT"
        case .livenessFailures: "DEPLOYEX_LIVENESS_FAILURES"
        case .usesDistribution: "DEPLOYEX_DISTRIBUTION"
        case .readinessAlive: "DEPLOYEX_READINESS_ALIVE"
        case .readinessHTTPPath: "DEPLOYEX_READINESS_HTTP_PATH"
        case .readinessHTTPTimeout: "DEPLOYEX_READINESS_HTTP_TIMEOUT"
        case .rollbackTimeout: "DEPLOYEX_ROLLBACK_TIMEOUT"
        case .rollbackCrashes: "DEPLOYEX_ROLLBACK_CRASHES"
        }
    }

    /// The parameter of the application `kernel` that says the same.
    ///
    /// Source: "Configuration", kernel(6).
    var kernelParameter: String? {
        switch self {
        case .distributionInterface: "inet_dist_use_interface"
        case .distributionPortMinimum: "inet_dist_listen_min"
        case .distributionPortMaximum: "inet_dist_listen_max"
        case .tickTime: "net_ticktime"
        case .basePath, .logPath, .cloudEnvironment, .cookieFile, .trustedUsers,
            .distributionNetworks,
            .logMaximumBytes, .logFiles, .name, .user, .replicas, .firstPort, .environment,
            .maximumOpenFiles, .storageAdapter, .storagePath, .storageEnvironment, .pollInterval,
            .stopTimeout,
            .preCommandTimeout,
            .livenessInterval, .livenessTimeout, .livenessFailures, .usesDistribution,
            .readinessAlive, .readinessHTTPPath, .readinessHTTPTimeout, .rollbackTimeout,
            .rollbackCrashes:
            nil
        }
    }
}
