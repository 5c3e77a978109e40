internal import Deployment
internal import HTTP
internal import Supervisor
internal import Transport

/// The configuration of one application.
struct ApplicationConfiguration: Equatable {

    /// An HTTP path that must answer 2xx before an instance counts as ready.
    struct HTTPCheck: Equatable {
        var path: String
        var timeout: Duration
    }

    var name: String
    /// The user that its releases run as; `nil` for deployex's own.
    var user: ProcessUser?
    var replicas: Int
    /// The port of instance 1; instance I listens on `firstPort + I - 1`.
    var firstPort: UInt16
    /// Where deployex listens for its instances.
    var listening: [ListeningAddress]
    /// Variables that its instances get beyond those that they inherit.
    var variables: [String: String]
    /// How many descriptors an instance may have; `nil` for the usual number.
    var maximumOpenFiles: UInt64?
    /// The command that starts its releases; `nil` for a release's usual one.
    var startCommand: StartCommand?
    var storage: StorageOptions
    /// From SIGTERM to SIGKILL it is never less than ``drainTimeout``.
    var timings: EngineConfiguration.Timings
    /// How long an instance that is to stop may answer what it has accepted.
    var drainTimeout: Duration
    var readiness: EngineConfiguration.ReadinessCriteria
    var httpCheck: HTTPCheck?
    /// When it is upgraded in place.
    var hotUpgrade: HotUpgrade.Mode
    var logLimits: LogLimits
    /// What is watched against its limit.
    var thresholds: [ThresholdKind: Threshold]

    /// The ports that its instances get.
    var ports: ClosedRange<Int> { Int(firstPort)...(Int(firstPort) + replicas - 1) }

    /// - Parameter cloud: the cloud environment; `nil` when everything is local.
    /// - Throws: ``UsageError`` that names the setting, its value and what it takes.
    init(_ settings: Settings, cloud: String?) throws(UsageError) {
        name = try Self.name(settings, cloud: cloud)
        user = try Self.user(settings)
        replicas = try settings.value(.replicas)?.integer(in: 1...100) ?? 3
        let port = try settings.value(.firstPort)?.integer(in: 1...65_535) ?? 4000
        firstPort = UInt16(port)
        if let value = settings.value(.firstPort), port + replicas - 1 > 65_535 {
            throw value.failure(
                "\(replicas) replicas need ports up to \(port + replicas - 1), above 65535")
        }
        listening = try ListenOptions.read(settings, replicas: replicas)
        variables = try Self.variables(settings)
        maximumOpenFiles = try Self.maximumOpenFiles(settings)
        startCommand = try settings.value(.startCommand)?.command()
        storage = try StorageOptions(settings, cloud: cloud, application: name)
        timings = try Self.timings(settings)
        drainTimeout =
            try settings.value(.drainTimeout)?.durationOrNone()
            ?? (listening.isEmpty ? .zero : Self.usualDrainTimeout)
        // SIGTERM is what takes an instance with a held socket out of traffic.
        timings.stopTimeout = max(timings.stopTimeout, drainTimeout)
        readiness = EngineConfiguration.ReadinessCriteria()
        readiness.usesDistribution =
            try settings.value(.usesDistribution)?.boolean() ?? readiness.usesDistribution
        readiness.aliveFor = try settings.value(.readinessAlive)?.duration() ?? readiness.aliveFor
        readiness.applications = try settings.value(.readinessApplications)?.words()
        httpCheck = try Self.httpCheck(settings)
        try ListenOptions.refuseCheck(httpCheck, listening, settings)
        hotUpgrade = try Self.hotUpgrade(settings)
        logLimits = try LogLimits(settings)
        thresholds = try Self.thresholds(settings)
    }

    private static let usualDrainTimeout = Duration.seconds(15)

    private static func name(_ settings: Settings, cloud: String?) throws(UsageError) -> String {
        guard let value = settings.value(.name) else {
            // A file may hold several applications, and each has its own name.
            if cloud == nil, settings.name(of: .name) == Setting.name.variable {
                return "myphoenixapp"
            }
            throw UsageError(
                "\(settings.name(of: .name)) is not set: name the application", "start")
        }
        let name = try value.text()
        guard name.isMadeOfLettersDigits(and: "_"), name.first?.isLetter == true, name.count <= 64
        else { throw value.failure("letters, digits and _ only, a letter first, 64 at most") }
        return name
    }

    private static func hotUpgrade(_ settings: Settings) throws(UsageError) -> HotUpgrade.Mode {
        guard let value = settings.value(.hotUpgrade) else { return .appup }
        guard let mode = HotUpgrade.Mode(rawValue: try value.text()) else {
            throw value.failure("appup, auto or off")
        }
        return mode
    }

    private static func thresholds(
        _ settings: Settings
    ) throws(UsageError) -> [ThresholdKind: Threshold] {
        var thresholds: [ThresholdKind: Threshold] = [:]
        for kind in ThresholdKind.allCases {
            let warnValue = settings.value(.threshold(kind, .warn))
            let restartValue = settings.value(.threshold(kind, .restart))
            guard warnValue != nil || restartValue != nil else { continue }
            let restart = try restartValue?.integer(in: 2...100)
            // Without a number of its own the warning comes before the restart in any case.
            let usual = min(Threshold.usualWarning, (restart ?? 100) - 1)
            let warn = try warnValue?.integer(in: 1...100) ?? usual
            if let restart, let restartValue, restart <= warn {
                throw restartValue.failure("more than the \(warn) percent that are a warning")
            }
            thresholds[kind] = Threshold(warn: warn, restart: restart)
        }
        return thresholds
    }

    /// The user that its programs have to become; `nil` if they already are that user.
    var otherUser: ProcessUser? {
        user.flatMap { $0.id == TrustedUsers.own ? nil : $0 }
    }

    /// - Throws: ``UsageError`` if the programs cannot be started as the configured user, or with
    ///   that many descriptors.
    /// - Parameter isProduction: whether a cloud environment is set. There, nothing runs as root only
    ///   because deployex does.
    func checkRights(
        own: UInt32 = TrustedUsers.own, hardLimit: UInt64, isProduction: Bool
    ) throws(UsageError) {
        guard own != 0 else {
            guard isProduction, user == nil else { return }
            throw UsageError(
                "\(name) would run as root, as deployex does: name the user that it is to run as in "
                    + "DEPLOYEX_MONITORED_APP_USER (in a file: user), or root if that is meant",
                "start")
        }
        if let user, user.id != own {
            throw UsageError(
                "\(name) is to run as \(user.name), and deployex runs as \(UserDatabase.text(own)): "
                    + "only a deployex that runs as root can start programs as somebody else",
                "start")
        }
        if let maximumOpenFiles, maximumOpenFiles > hardLimit {
            throw UsageError(
                "\(name) is to have \(maximumOpenFiles) open files, and deployex's hard limit is "
                    + "\(hardLimit): raise it (LimitNOFILE= in a systemd unit, `ulimit -H -n`)",
                "start")
        }
    }

    private static func user(_ settings: Settings) throws(UsageError) -> ProcessUser? {
        guard let value = settings.value(.user) else { return nil }
        guard let user = UserDatabase.processUser(named: try value.text()) else {
            throw value.failure("the name or number of a user of this host")
        }
        return user
    }

    private static func maximumOpenFiles(_ settings: Settings) throws(UsageError) -> UInt64? {
        guard let value = settings.value(.maximumOpenFiles) else { return nil }
        return UInt64(try value.integer(in: 64...(1 << 30)))
    }

    private static func variables(_ settings: Settings) throws(UsageError) -> [String: String] {
        guard let value = settings.value(.environment) else { return [:] }
        var variables: [String: String] = [:]
        for (name, value) in try value.members() {
            let text = try value.text()
            guard name.isMadeOfLettersDigits(and: "_"), name.first?.isNumber == false else {
                throw value.failure("a variable's name is letters, digits and _")
            }
            // deployex sets these itself, and finds the instances again by them.
            guard
                !["RELEASE_NODE_SUFFIX", "PORT", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"]
                    .contains(name), !name.hasPrefix(InstanceEnvironment.listenPrefix)
            else {
                throw value.failure("deployex itself sets this variable")
            }
            guard !text.contains("\0"), variables[name] == nil else {
                throw value.failure("a string without a NUL, once")
            }
            variables[name] = text
        }
        return variables
    }

    private static func timings(
        _ settings: Settings
    ) throws(UsageError) -> EngineConfiguration.Timings {
        var timings = EngineConfiguration.Timings()
        func take(_ setting: Setting, _ duration: inout Duration) throws(UsageError) {
            duration = try settings.value(setting)?.duration() ?? duration
        }
        func take(
            _ setting: Setting, _ count: inout Int, _ range: ClosedRange<Int>
        ) throws(UsageError) {
            count = try settings.value(setting)?.integer(in: range) ?? count
        }
        try take(.pollInterval, &timings.pollInterval)
        try take(.stopTimeout, &timings.stopTimeout)
        try take(.preCommandTimeout, &timings.preCommandTimeout)
        try take(.rollbackTimeout, &timings.readyTimeout)
        try take(.rollbackCrashes, &timings.maximumCrashes, 0...1000)
        try take(.livenessInterval, &timings.livenessInterval)
        try take(.livenessTimeout, &timings.livenessTimeout)
        try take(.livenessFailures, &timings.livenessFailures, 1...10_000)
        return timings
    }

    private static func httpCheck(_ settings: Settings) throws(UsageError) -> HTTPCheck? {
        guard let value = settings.value(.readinessHTTPPath) else {
            guard let timeout = settings.value(.readinessHTTPTimeout) else { return nil }
            throw UsageError(
                "\(timeout.name) needs \(settings.name(of: .readinessHTTPPath)) beside it", "start")
        }
        let path = try value.text()
        guard HTTPRequest.isPath(path) else {
            throw value.failure("a path such as /health, without spaces")
        }
        let timeout = try settings.value(.readinessHTTPTimeout)?.duration()
        return HTTPCheck(path: path, timeout: timeout ?? .seconds(2))
    }
}

extension LogLimits {
    /// - Throws: ``UsageError`` for a size that is too small for rotation in pieces.
    init(_ settings: Settings) throws(UsageError) {
        self.init()
        if let value = settings.value(.logMaximumBytes) {
            let byteCount = Int64(try value.integer(in: 0...(1 << 40)))
            guard byteCount == 0 || byteCount >= Self.alignment else {
                throw value.failure("0 for never, or bytes from \(Self.alignment)")
            }
            fileByteCount = byteCount
        }
        keptPieceCount = try settings.value(.logFiles)?.integer(in: 1...1000) ?? keptPieceCount
    }
}
