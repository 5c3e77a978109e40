import FoundationEssentials

/// How a command has ended, and what it has printed.
struct CommandResult: Equatable {
    /// The exit status, or 128 + the signal's number.
    var status: Int32
    var stdout: String
    var stderr: String
}

/// What an instance of the example answers over HTTP.
struct CounterAnswer: Decodable, Equatable {
    var version: String
    var osPID: Int32
    var node: String
    var instance: Int?
    var greeting: String
    var counter: Int

    private enum CodingKeys: String, CodingKey {
        case version, node, instance, greeting, counter
        case osPID = "os_pid"
    }
}

/// What `deployex status --json` prints.
struct StatusAnswer: Decodable, Equatable {
    var node: String
    var version: String
    var tls: Bool
    var uptimeSeconds: Int
    var apps: [App]

    struct App: Decodable, Equatable {
        var name: String
        var targetVersion: String?
        var pinnedVersion: String?
        var problem: String?
        var instances: [Instance]
    }

    struct Instance: Decodable, Equatable {
        var instance: Int
        var node: String
        var status: String
        var version: String?
        var previousVersion: String?
        var lastDeployment: String?
        var otp: String
        var osPid: Int32?
        var port: Int
        var uptimeSeconds: Int?
        var stoppedByOperator: Bool
        var reason: String?
        var restartPending: Bool
        var crashRestarts: Int
        var forcedRestarts: Int
    }

    init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Self.self, from: Data(json.utf8))
    }

    var instances: [Instance] { apps.flatMap(\.instances) }
}

/// `BASE/version/I/{current,previous}.json`.
struct VersionFile: Decodable, Equatable {
    var version: String
    var hash: String
    var deployment: String
}
