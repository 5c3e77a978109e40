internal import Deployment

/// A setting for a server or for one of its applications. A variable, a key of the configuration
/// file, or both can set it.
struct Setting: Equatable, Sendable {
    /// Where in the file the key may occur.
    enum Scope: Hashable {
        case host, application
    }

    /// The key in the configuration file; a dot leads into an object.
    let key: String
    /// The environment variable; `nil` for a setting that only the file has.
    let variable: String?
    let scopes: Set<Scope>
    /// The parameter of the application `kernel` that means the same.
    ///
    /// Source: "Configuration", kernel(6).
    let kernelParameter: String?
    /// Whether its value may be, or hold, a secret, if only by mistake. Then no message shows it.
    let mayBeSecret: Bool

    private init(
        _ key: String, _ variable: String?, of scopes: Set<Scope> = [.application],
        kernel: String? = nil, mayBeSecret: Bool = false
    ) {
        self.key = key
        self.variable = variable
        self.scopes = scopes
        kernelParameter = kernel
        self.mayBeSecret = mayBeSecret
    }

    /// Whether the value at a place may be a secret.
    /// - Parameter place: a variable, or a key in the configuration file such as
    ///   `applications[1].environment.TOKEN`.
    static func mayBeSecret(_ place: String) -> Bool {
        let isOfApplication = place.hasPrefix("applications[")
        let key = isOfApplication ? place.drop { $0 != "." }.dropFirst() : place[...]
        return all.contains { setting in
            setting.mayBeSecret
                && (setting.variable == place || key == setting.key
                    || key.hasPrefix(setting.key + "."))
        }
    }

    // Settings of the host.
    static let basePath = Setting("base_path", "DEPLOYEX_BASE_PATH", of: [.host])
    static let logPath = Setting("log_path", "DEPLOYEX_LOG_PATH", of: [.host])
    static let cloudEnvironment = Setting(
        "cloud_environment", "DEPLOYEX_CLOUD_ENVIRONMENT", of: [.host])
    /// Some write the cookie itself there.
    static let cookieFile = Setting(
        "cookie_file", "DEPLOYEX_COOKIE_FILE", of: [.host], mayBeSecret: true)
    static let trustedUsers = Setting("trusted_users", "DEPLOYEX_TRUSTED_USERS", of: [.host])
    static let publicKeys = Setting("public_keys", "DEPLOYEX_PUBLIC_KEYS", of: [.host])
    static let distributionInterface = Setting(
        "distribution.interface", "DEPLOYEX_DIST_INTERFACE", of: [.host],
        kernel: "inet_dist_use_interface")
    static let distributionNetworks = Setting(
        "distribution.networks", "DEPLOYEX_DIST_NETWORKS", of: [.host])
    static let distributionPortMinimum = Setting(
        "distribution.port_min", "DEPLOYEX_DIST_PORT_MIN", of: [.host],
        kernel: "inet_dist_listen_min")
    static let distributionPortMaximum = Setting(
        "distribution.port_max", "DEPLOYEX_DIST_PORT_MAX", of: [.host],
        kernel: "inet_dist_listen_max")
    static let tickTime = Setting(
        "distribution.tick_time", "DEPLOYEX_NET_TICKTIME", of: [.host], kernel: "net_ticktime")
    static let dashboardServed = Setting("dashboard.server", "DEPLOYEX_PHX_SERVER", of: [.host])
    static let dashboardAddress = Setting("dashboard.address", "DEPLOYEX_HTTP_ADDRESS", of: [.host])
    static let dashboardPort = Setting("dashboard.port", "DEPLOYEX_PHX_PORT", of: [.host])
    static let dashboardHost = Setting("dashboard.host", "DEPLOYEX_PHX_HOST", of: [.host])
    static let dashboardToken = Setting(
        "dashboard.api_token", "DEPLOYEX_API_TOKEN", of: [.host], mayBeSecret: true)
    static let dashboardTokenFile = Setting(
        "dashboard.api_token_file", "DEPLOYEX_API_TOKEN_FILE", of: [.host], mayBeSecret: true)
    static let administratorHash = Setting(
        "dashboard.admin_password_hash", "DEPLOYEX_ADMIN_PASSWORD_HASH", of: [.host],
        mayBeSecret: true)
    static let administratorHashFile = Setting(
        "dashboard.admin_password_hash_file", "DEPLOYEX_ADMIN_PASSWORD_HASH_FILE", of: [.host],
        mayBeSecret: true)
    static let viewerHash = Setting(
        "dashboard.viewer_password_hash", "DEPLOYEX_VIEWER_PASSWORD_HASH", of: [.host],
        mayBeSecret: true)
    static let viewerHashFile = Setting(
        "dashboard.viewer_password_hash_file", "DEPLOYEX_VIEWER_PASSWORD_HASH_FILE", of: [.host],
        mayBeSecret: true)
    static let dashboardTerminal = Setting("dashboard.terminal", "DEPLOYEX_TERMINAL", of: [.host])
    static let dashboardCertificate = Setting(
        "dashboard.certificate", "DEPLOYEX_HTTP_CERTIFICATE", of: [.host])
    static let dashboardKey = Setting("dashboard.key", "DEPLOYEX_HTTP_KEY", of: [.host])
    /// The original signs its cookies with it. Ours are no signed texts but random numbers, so it
    /// is read by nobody.
    static let secretKeyBase = Setting(
        "dashboard.secret_key_base", "DEPLOYEX_SECRET_KEY_BASE", of: [.host], mayBeSecret: true)
    static let secretsAdapter = Setting("secrets.adapter", "DEPLOYEX_SECRETS_ADAPTER", of: [.host])
    static let secretsName = Setting("secrets.name", "DEPLOYEX_SECRETS_NAME", of: [.host])
    // The names of the variables keep them from the instances.
    static let webhookURL = Setting(
        "notifications.webhook_url", "DEPLOYEX_WEBHOOK_SECRET_URL", of: [.host], mayBeSecret: true)
    static let webhookURLFile = Setting(
        "notifications.webhook_url_file", "DEPLOYEX_WEBHOOK_SECRET_URL_FILE", of: [.host],
        mayBeSecret: true)
    static let webhookSecret = Setting(
        "notifications.webhook_secret", "DEPLOYEX_WEBHOOK_SECRET", of: [.host], mayBeSecret: true)
    static let webhookSecretFile = Setting(
        "notifications.webhook_secret_file", "DEPLOYEX_WEBHOOK_SECRET_FILE", of: [.host],
        mayBeSecret: true)
    static let slackURL = Setting(
        "notifications.slack_url", "DEPLOYEX_SLACK_SECRET_URL", of: [.host], mayBeSecret: true)
    static let slackURLFile = Setting(
        "notifications.slack_url_file", "DEPLOYEX_SLACK_SECRET_URL_FILE", of: [.host],
        mayBeSecret: true)
    static let pagerDutyToken = Setting(
        "notifications.pagerduty_token", "DEPLOYEX_PAGERDUTY_TOKEN", of: [.host],
        mayBeSecret: true)
    static let pagerDutyTokenFile = Setting(
        "notifications.pagerduty_token_file", "DEPLOYEX_PAGERDUTY_TOKEN_FILE", of: [.host],
        mayBeSecret: true)
    static let pagerDutyURL = Setting(
        "notifications.pagerduty_url", "DEPLOYEX_PAGERDUTY_URL", of: [.host])
    // Settings of the host that an application may override.
    static let logMaximumBytes = Setting(
        "log.max_bytes", "DEPLOYEX_LOG_MAX_BYTES", of: [.host, .application])
    static let logTimestamps = Setting("log.timestamps", "DEPLOYEX_LOG_TIMESTAMPS", of: [.host])
    static let logFiles = Setting("log.files", "DEPLOYEX_LOG_FILES", of: [.host, .application])
    static let storageRegion = Setting(
        "storage.region", "AWS_REGION", of: [.host, .application])
    static let storageEndpoint = Setting(
        "storage.endpoint", "AWS_ENDPOINT_URL_S3", of: [.host, .application], mayBeSecret: true)
    // Settings of an application.
    static let name = Setting("name", "DEPLOYEX_MONITORED_APP_NAME")
    static let user = Setting("user", "DEPLOYEX_MONITORED_APP_USER")
    static let replicas = Setting("replicas", "DEPLOYEX_MONITORED_REPLICAS")
    static let firstPort = Setting("first_port", "DEPLOYEX_MONITORED_APP_PORT")
    static let listen = Setting("listen", "DEPLOYEX_LISTEN")
    static let environment = Setting("environment", nil, mayBeSecret: true)
    static let maximumOpenFiles = Setting("max_open_files", "DEPLOYEX_MONITORED_APP_MAX_OPEN_FILES")
    static let startCommand = Setting(
        "start_command", "DEPLOYEX_MONITORED_APP_START_COMMAND", mayBeSecret: true)
    static let storageAdapter = Setting("storage.adapter", "DEPLOYEX_STORAGE_ADAPTER")
    static let storagePath = Setting("storage.path", "DEPLOYEX_STORAGE_PATH")
    static let storageBucket = Setting("storage.bucket", "DEPLOYEX_S3_BUCKET")
    static let storageEnvironment = Setting("storage.environment", nil)
    static let pollInterval = Setting("timings.poll_interval", "DEPLOYEX_POLL_INTERVAL")
    static let stopTimeout = Setting("timings.stop_timeout", "DEPLOYEX_STOP_TIMEOUT")
    static let drainTimeout = Setting("timings.drain_timeout", "DEPLOYEX_DRAIN_TIMEOUT")
    static let preCommandTimeout = Setting(
        "timings.pre_command_timeout", "DEPLOYEX_PRE_COMMAND_TIMEOUT")
    static let livenessInterval = Setting("timings.liveness_interval", "DEPLOYEX_LIVENESS_INTERVAL")
    static let livenessTimeout = Setting("timings.liveness_timeout", "DEPLOYEX_LIVENESS_TIMEOUT")
    static let livenessFailures = Setting("timings.liveness_failures", "DEPLOYEX_LIVENESS_FAILURES")
    static let usesDistribution = Setting("readiness.distribution", "DEPLOYEX_DISTRIBUTION")
    static let readinessAlive = Setting("readiness.alive_seconds", "DEPLOYEX_READINESS_ALIVE")
    static let readinessApplications = Setting(
        "readiness.applications", "DEPLOYEX_READINESS_APPLICATIONS")
    static let readinessHTTPPath = Setting(
        "readiness.http_path", "DEPLOYEX_READINESS_HTTP_PATH", mayBeSecret: true)
    static let readinessHTTPTimeout = Setting(
        "readiness.http_timeout", "DEPLOYEX_READINESS_HTTP_TIMEOUT")
    static let hotUpgrade = Setting("hot_upgrade", "DEPLOYEX_HOT_UPGRADE")
    static let rollbackTimeout = Setting("rollback.timeout", "DEPLOYEX_ROLLBACK_TIMEOUT")
    static let rollbackCrashes = Setting("rollback.crashes", "DEPLOYEX_ROLLBACK_CRASHES")

    /// `thresholds.atoms.warn` and the like. Only the file has them.
    static func threshold(_ kind: ThresholdKind, _ level: ThresholdState.Level) -> Setting {
        Setting("thresholds.\(kind.rawValue).\(level.rawValue)", nil)
    }
    static let thresholds = ThresholdKind.allCases.flatMap {
        [threshold($0, .warn), threshold($0, .restart)]
    }

    static let all = single + thresholds

    private static let single = [
        basePath, logPath, cloudEnvironment, cookieFile, trustedUsers, publicKeys,
        distributionInterface, distributionNetworks, distributionPortMinimum,
        distributionPortMaximum, tickTime,
        dashboardServed, dashboardAddress, dashboardPort, dashboardHost, dashboardToken,
        dashboardTokenFile, administratorHash, administratorHashFile, viewerHash, viewerHashFile,
        dashboardTerminal, dashboardCertificate, dashboardKey, secretKeyBase, secretsAdapter,
        secretsName,
        webhookURL,
        webhookURLFile, webhookSecret, webhookSecretFile, slackURL, slackURLFile, pagerDutyToken,
        pagerDutyTokenFile, pagerDutyURL, logMaximumBytes,
        logFiles, logTimestamps, name, user, replicas,
        firstPort, listen, environment,
        maximumOpenFiles,
        startCommand, storageAdapter, storagePath, storageBucket, storageRegion, storageEndpoint,
        storageEnvironment, pollInterval, stopTimeout, drainTimeout,
        preCommandTimeout, livenessInterval, livenessTimeout, livenessFailures, usesDistribution,
        readinessAlive, readinessApplications, readinessHTTPPath, readinessHTTPTimeout,
        hotUpgrade, rollbackTimeout, rollbackCrashes,
    ]
}
