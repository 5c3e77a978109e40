internal import Deployment
internal import Supervisor
internal import Transport

/// The configuration of `deployex start`, read from the environment, or from a file and the
/// environment. Nothing has been touched yet.
///
/// With a file, its settings for the host win over the variables, and only the file configures
/// applications.
struct ServerConfiguration: Equatable {
    /// One or more applications with different names and ports.
    var applications: [ApplicationConfiguration]
    var basePath: String
    var logPath: String
    /// Whether deployex's own log is also kept in files below `logPath`, which a cloud environment
    /// turns on.
    var keepsOwnLog: Bool
    /// The file with the cookie, if one is configured.
    var cookieFile: String?
    /// The users whose files and sockets on this host are believed.
    var trustedUsers: TrustedUsers
    /// The keys that packages must be signed with; `nil` if they need no signature.
    var publicKeys: PublicKeysFile?
    /// The limits of deployex's own log.
    var logLimits: LogLimits
    /// Whether the lines on the console have the time.
    var showsLogTimes: Bool
    var listening: ListeningOptions
    var dashboard: DashboardOptions
    var secrets: SecretsOptions
    var notifications: NotificationOptions

    static let cloudBasePath = "/var/lib/deployex"
    static let localBasePath = "/tmp/deployex/varlib"
    private static let cloudLogPath = "/var/log"
    private static let localLogPath = "/tmp/deployex/log"

    /// - Throws: ``UsageError`` that names the variable or the key, its value and what it takes.
    init(file: ConfigurationFile? = nil, environment: [String: String]) throws(UsageError) {
        let environment = Self.withAmazonsNames(environment)
        let hostFile = file.map {
            Settings.Source.file(path: $0.path, prefix: "", members: $0.host)
        }
        let host = Settings(
            (hostFile.map { [$0] } ?? [])
                + [.variables(environment), .kernel(KernelSwitches.parameters(environment))])
        let cloud = try host.value(.cloudEnvironment)?.pathComponent()
        if let file {
            try Self.refuseVariables(environment, beside: file.path)
            applications = []
            for (index, members) in file.applications.enumerated() {
                let own = Settings.Source.file(
                    path: file.path, prefix: ConfigurationFile.prefix(index), members: members)
                // The host's settings for logs and S3 hold for applications that have none.
                let shared = Settings.Source.file(
                    path: file.path, prefix: "",
                    members: file.host.filter {
                        $0.key.hasPrefix("log.") || $0.key.hasPrefix("storage.")
                    })
                // So do the variables that all programs of AWS's read.
                let amazons = Settings.Source.variables(
                    environment.filter { $0.key.hasPrefix("AWS_") })
                applications.append(
                    try ApplicationConfiguration(Settings([own, shared, amazons]), cloud: cloud))
            }
            try Self.refuseOverlaps(applications, in: file.path)
        } else {
            applications = [try ApplicationConfiguration(host, cloud: cloud)]
        }
        try Self.refuseTooManySockets(applications)
        basePath =
            try host.value(.basePath)?.path()
            ?? (cloud == nil ? Self.localBasePath : Self.cloudBasePath)
        let localLogPath = file == nil ? "/tmp/\(applications[0].name)" : Self.localLogPath
        logPath =
            try host.value(.logPath)?.path() ?? (cloud == nil ? localLogPath : Self.cloudLogPath)
        keepsOwnLog = cloud != nil
        cookieFile = try host.value(.cookieFile)?.path()
        trustedUsers = try Self.trustedUsers(host)
        publicKeys = try host.value(.publicKeys).map { (value) throws(UsageError) in
            PublicKeysFile(try value.path())
        }
        logLimits = try LogLimits(host)
        showsLogTimes = try host.value(.logTimestamps)?.boolean() ?? false
        listening = try ListeningOptions(host)
        secrets = try SecretsOptions(host, cloud: cloud, applications)
        dashboard = try DashboardOptions(host)
        notifications = try NotificationOptions(host)
        dashboard.isLocal = cloud == nil
    }

    /// The variables, with those of AWS's that have two names under the one that we read.
    private static func withAmazonsNames(_ environment: [String: String]) -> [String: String] {
        var environment = environment
        for (name, other) in [
            ("AWS_REGION", "AWS_DEFAULT_REGION"), ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        ] where environment[name]?.isEmpty ?? true {
            environment[name] = environment[other]
        }
        return environment
    }

    /// Which users must be able to reach which releases.
    var reach: ReleaseReach {
        ReleaseReach(
            basePath: basePath,
            applications: applications.map {
                .init(
                    layout: DeploymentLayout(basePath: basePath, application: $0.name),
                    replicas: $0.replicas, user: $0.otherUser)
            })
    }

    /// The applications whose own cookie keeps them from becoming ready, each as a line for the
    /// log.
    /// - Parameter own: the cookie with which deployex connects to all instances.
    func strangeCookies(own: String) -> [String] {
        applications.enumerated().compactMap { index, application in
            guard application.readiness.usesDistribution,
                let cookie = application.variables["RELEASE_COOKIE"], cookie != own
            else { return nil }
            let prefix = ConfigurationFile.prefix(index)
            return
                "\(prefix)environment: RELEASE_COOKIE is not deployex's cookie, so that deployex cannot "
                + "connect to \(application.name), which never is ready: leave it out, or set "
                + "\(prefix)readiness.distribution to false"
        }
    }

    static func trustedUsers(_ host: Settings) throws(UsageError) -> TrustedUsers {
        guard let value = host.value(.trustedUsers) else { return TrustedUsers() }
        var users = TrustedUsers()
        for name in try value.words() {
            // A number works without an account: a container may not know the host's accounts.
            guard let user = UserDatabase.user(named: name)?.id ?? UInt32(name) else {
                throw value.failure("names or numbers of users of this host; \(name) is none")
            }
            users = users.adding(user)
        }
        return users
    }

    /// Variables that configure a single application would be ignored, so they are refused.
    private static func refuseVariables(
        _ environment: [String: String], beside path: String
    ) throws(UsageError) {
        for setting in Setting.all where setting.scopes == [.application] {
            guard let variable = setting.variable, environment[variable]?.isEmpty == false
            else { continue }
            throw UsageError(
                "\(variable) is set beside the configuration file \(path): say it there "
                    + "(\(setting.key)), or leave the file out", "start")
        }
    }

    private static func refuseOverlaps(
        _ applications: [ApplicationConfiguration], in path: String
    ) throws(UsageError) {
        for (index, application) in applications.enumerated() {
            for (other, before) in applications[..<index].enumerated() {
                let (here, there) = (
                    ConfigurationFile.prefix(index), ConfigurationFile.prefix(other)
                )
                if application.name == before.name {
                    throw UsageError(
                        "\(path): \(here)name: \(application.name) is \(there)name already", "start"
                    )
                }
                if application.ports.overlaps(before.ports) {
                    throw UsageError(
                        "\(path): \(here)first_port: \(application.name) would take the ports "
                            + "\(text(application.ports)), and \(before.name) \(text(before.ports))",
                        "start")
                }
                if let (own, taken) = application.listenerOverlapping(before) {
                    throw UsageError(
                        "\(path): \(here)listen: \(application.name) would take the port "
                            + "\(own), and \(before.name) \(taken)", "start")
                }
            }
        }
    }

    private static func refuseTooManySockets(
        _ applications: [ApplicationConfiguration]
    ) throws(UsageError) {
        let count = applications.map { application in
            application.listening.map { $0.mode == .own ? application.replicas : 1 }.reduce(0, +)
        }.reduce(0, +)
        guard count <= ListenOptions.maximumSocketCount else {
            throw UsageError(
                "the applications would have \(count) listening sockets, and deployex keeps "
                    + "\(ListenOptions.maximumSocketCount) at most", "start")
        }
    }

    private static func text(_ ports: ClosedRange<Int>) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound) to \(ports.upperBound)"
    }
}

extension ApplicationConfiguration {
    /// Two ports, or addresses, of which this and another application cannot both have theirs.
    fileprivate func listenerOverlapping(
        _ other: ApplicationConfiguration
    ) -> (own: String, taken: String)? {
        for listener in listening {
            for there in other.listening
            where listener.overlaps(there, replicas: replicas, otherReplicas: other.replicas) {
                return ("of \(listener.address)", "takes \(there.address)")
            }
            if listener.ports(replicas: replicas).overlaps(other.ports) {
                return ("of \(listener.address)", "takes \(Self.text(other.ports))")
            }
        }
        for there in other.listening where there.ports(replicas: other.replicas).overlaps(ports) {
            return (Self.text(ports), "takes \(there.address)")
        }
        return nil
    }

    private static func text(_ ports: ClosedRange<Int>) -> String {
        "\(ports.lowerBound) to \(ports.upperBound)"
    }
}
