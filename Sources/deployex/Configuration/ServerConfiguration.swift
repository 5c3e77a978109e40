internal import Transport

/// What `deployex start` runs with, read from the environment and the command line, and nothing
/// touched yet. Unset and empty variables mean the same.
struct ServerConfiguration: Equatable {
    enum StorageAdapter: String {
        case local, s3
    }

    struct Timings: Equatable {
        /// Between two looks at `current.json`, when nothing announces a change.
        var pollInterval: Duration = .seconds(5)
        /// From SIGTERM to SIGKILL.
        var stopTimeout: Duration = .seconds(10)
        /// How long a new version has to become ready.
        var rollbackTimeout: Duration = .seconds(600)
    }

    var applicationName: String
    var replicas: Int
    /// Instance I listens on `firstPort + I - 1`.
    var firstPort: UInt16
    /// `local` when no cloud environment is set.
    var environmentName: String
    var storageAdapter: StorageAdapter
    var basePath: String
    var logPath: String
    var storagePath: String
    var timings: Timings
    var listening: ListeningOptions

    private static let cloudDefaultBasePath = "/var/lib/deployex"
    private static let localBasePath = "/tmp/deployex/varlib"

    /// - Throws: ``UsageError`` that names the variable, its value and what it takes.
    init(environment: [String: String]) throws(UsageError) {
        let variables = Variables(environment)
        let cloud = try variables.pathComponent("DEPLOYEX_CLOUD_ENVIRONMENT")
        let name = try variables.pathComponent("DEPLOYEX_MONITORED_APP_NAME")
        guard let name = name ?? (cloud == nil ? "myphoenixapp" : nil) else {
            throw UsageError("DEPLOYEX_MONITORED_APP_NAME is not set: name the application", .start)
        }
        guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }),
            name.first?.isLetter == true
        else {
            throw UsageError(
                "DEPLOYEX_MONITORED_APP_NAME=\(name): letters, digits and _ only, a letter first",
                .start)
        }
        applicationName = name
        environmentName = cloud ?? "local"
        replicas = try variables.integer("DEPLOYEX_MONITORED_REPLICAS", in: 1...100) ?? 3
        let port = try variables.integer("DEPLOYEX_MONITORED_APP_PORT", in: 1...65_535) ?? 4000
        guard port + replicas - 1 <= 65_535 else {
            throw UsageError(
                "DEPLOYEX_MONITORED_APP_PORT=\(port): \(replicas) replicas need ports up to "
                    + "\(port + replicas - 1), above 65535", .start)
        }
        firstPort = UInt16(port)

        let adapterName =
            variables.text("DEPLOYEX_STORAGE_ADAPTER") ?? (cloud == nil ? "local" : "s3")
        guard let adapter = StorageAdapter(rawValue: adapterName) else {
            throw UsageError("DEPLOYEX_STORAGE_ADAPTER=\(adapterName): local or s3", .start)
        }
        guard adapter == .local else {
            throw UsageError(
                "the s3 storage adapter is not available in this version: "
                    + "set DEPLOYEX_STORAGE_ADAPTER=local and DEPLOYEX_STORAGE_PATH", .start)
        }
        storageAdapter = adapter
        basePath =
            try variables.path("DEPLOYEX_BASE_PATH")
            ?? (cloud == nil ? Self.localBasePath : Self.cloudDefaultBasePath)
        logPath =
            try variables.path("DEPLOYEX_LOG_PATH") ?? (cloud == nil ? "/tmp/\(name)" : "/var/log")
        guard
            let storage = try variables.path("DEPLOYEX_STORAGE_PATH")
                ?? (cloud == nil ? "/tmp/\(name)" : nil)
        else {
            throw UsageError(
                "DEPLOYEX_STORAGE_PATH is not set: name the folder with dist/ and versions/", .start
            )
        }
        storagePath = storage

        listening = try ListeningOptions(environment: environment)
        timings = Timings()
        timings.pollInterval =
            try variables.duration("DEPLOYEX_POLL_INTERVAL") ?? timings.pollInterval
        timings.stopTimeout = try variables.duration("DEPLOYEX_STOP_TIMEOUT") ?? timings.stopTimeout
        timings.rollbackTimeout =
            try variables.duration("DEPLOYEX_ROLLBACK_TIMEOUT") ?? timings.rollbackTimeout
    }
}

/// Typed access to environment variables.
private struct Variables {
    private let environment: [String: String]

    init(_ environment: [String: String]) {
        self.environment = environment
    }

    func text(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = text(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(
                "\(name)=\(text): a whole number from \(range.lowerBound) to \(range.upperBound)",
                .start)
        }
        return value
    }

    /// Seconds, with a fraction if need be.
    func duration(_ name: String) throws(UsageError) -> Duration? {
        guard let text = text(name) else { return nil }
        guard let seconds = Double(text), seconds >= 0.05, seconds <= 86_400 else {
            throw UsageError("\(name)=\(text): seconds from 0.05 to 86400", .start)
        }
        return .seconds(seconds)
    }

    func path(_ name: String) throws(UsageError) -> String? {
        guard let text = text(name) else { return nil }
        guard text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
            throw UsageError("\(name)=\(text): an absolute path without ..", .start)
        }
        var path = text
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// A name that is used as one component of paths.
    func pathComponent(_ name: String) throws(UsageError) -> String? {
        guard let text = text(name) else { return nil }
        let isPlain = text.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0))
        }
        guard isPlain, !text.hasPrefix("."), !text.hasPrefix("-"), text.count <= 64 else {
            throw UsageError(
                "\(name)=\(text): letters, digits, _ and - only, 64 at most", .start)
        }
        return text
    }
}
