internal import ExternalTermFormat

/// The answer of `deployex:status()`, as far as commands need it. What it lacks is `nil`, empty or
/// false: the node may be of another version.
struct StatusView {
    struct Instance: Equatable {
        var number: Int
        var status: String
        var version: String?
        var pid: Int?
        var isConnected: Bool
        var isStoppedByOperator: Bool
    }

    struct Application: Equatable {
        var name: String
        var targetVersion: String?
        /// Why the deployment of the target does not go on at the moment.
        var problem: String?
        /// Version and reason.
        var ghosted: [String: String]
        var instances: [Instance]
    }

    var applications: [Application]

    init(_ status: Term) {
        applications = (status["apps"]?.asList ?? []).map { application in
            Application(
                name: application["name"]?.asText ?? "",
                targetVersion: application["target_version"]?.asText,
                problem: application["problem"]?.asText, ghosted: Self.ghosted(application),
                instances: (application["instances"]?.asList ?? []).map(Self.instance))
        }
    }

    private static func ghosted(_ application: Term) -> [String: String] {
        var reasons: [String: String] = [:]
        for release in application["ghosted"]?.asList ?? [] {
            guard let version = release["version"]?.asText else { continue }
            reasons[version] = release["reason"]?.asText ?? ""
        }
        return reasons
    }

    private static func instance(_ term: Term) -> Instance {
        Instance(
            number: term["instance"]?.asInteger ?? 0, status: term["status"]?.asText ?? "",
            version: term["version"]?.asText, pid: term["os_pid"]?.asInteger,
            isConnected: term["otp"]?.asText == "connected",
            isStoppedByOperator: term["stopped_by_operator"]?.asBool ?? false)
    }

    var directory: InstanceDirectory {
        InstanceDirectory(
            applications.map { application in
                .init(
                    name: application.name,
                    replicas: application.instances.map(\.number).max() ?? 0)
            })
    }

    func application(_ name: String) -> Application? {
        applications.first { $0.name == name }
    }
}

extension Term {
    /// The value behind an atom in a map.
    subscript(_ key: Atom) -> Term? {
        guard case .map(let map) = self else { return nil }
        return map[key]
    }
}
