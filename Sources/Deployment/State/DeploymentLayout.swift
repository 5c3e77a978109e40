package import Supervisor

/// The paths of one application's releases and records below the base folder.
///
/// ```
/// BASE/service/APP/I/{new,current,previous}     releases as unpacked; bin/APP starts one
/// BASE/service/APP/I/journal.json               the change under way, while there is one
/// BASE/version/APP/I/{current,previous}.json    the release there, and how it came there
/// BASE/version/APP/application.json             pinned, ghosted and good versions, history
/// BASE/run/                                     identities of the processes that run
/// ```
package struct DeploymentLayout: Equatable, Sendable {
    package var basePath: String
    package var application: String

    package init(basePath: String, application: String) {
        self.basePath = basePath
        self.application = application
    }

    /// The base folder, derived from the folder of a running release, `BASE/service/APP/I/current`;
    /// `nil` for any other folder.
    package static func basePath(of folder: String) -> String? {
        let parts = folder.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 4, parts.last == "current", parts[parts.count - 4] == "service",
            Int(parts[parts.count - 2]) != nil
        else { return nil }
        return parts.dropLast(4).joined(separator: "/")
    }

    /// The parent of the application's instance folders.
    package var applicationFolder: String { "\(basePath)/service/\(application)" }
    package func instanceFolder(_ instance: InstanceNumber) -> String {
        "\(applicationFolder)/\(instance)"
    }

    /// The release that is being staged.
    package func new(_ instance: InstanceNumber) -> String { instanceFolder(instance) + "/new" }
    /// A release that is only looked at. By its name the next start removes what a kill leaves of it.
    func trial(_ instance: InstanceNumber) -> String { new(instance) + ".tmp-preflight" }
    /// The release that runs, or that the next start boots.
    package func current(_ instance: InstanceNumber) -> String {
        instanceFolder(instance) + "/current"
    }
    /// The release before it.
    package func previous(_ instance: InstanceNumber) -> String {
        instanceFolder(instance) + "/previous"
    }
    func journal(_ instance: InstanceNumber) -> String {
        instanceFolder(instance) + "/journal.json"
    }

    /// The folder of the version files and the application's record.
    package var versionFolder: String { "\(basePath)/version/\(application)" }
    package var applicationRecord: String { versionFolder + "/application.json" }
    package func versionFolder(_ instance: InstanceNumber) -> String {
        "\(versionFolder)/\(instance)"
    }
    package func currentVersion(_ instance: InstanceNumber) -> String {
        versionFolder(instance) + "/current.json"
    }
    package func previousVersion(_ instance: InstanceNumber) -> String {
        versionFolder(instance) + "/previous.json"
    }

    /// The program that starts the release in `current`.
    package func program(_ instance: InstanceNumber) -> String {
        current(instance) + "/bin/\(application)"
    }
}
