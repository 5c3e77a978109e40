/// Where one application's releases and records stand below the base folder.
///
/// ```
/// BASE/service/APP/I/{new,current,previous}     releases as unpacked; bin/APP starts one
/// BASE/version/I/{current,previous}.json        what stands there, and how it came there
/// BASE/run/                                     identities of the processes that run
/// ```
package struct DeploymentLayout: Equatable, Sendable {
    package var basePath: String
    package var application: String

    package init(basePath: String, application: String) {
        self.basePath = basePath
        self.application = application
    }

    package func instanceFolder(_ instance: Int) -> String {
        "\(basePath)/service/\(application)/\(instance)"
    }

    /// A release on its way in.
    package func new(_ instance: Int) -> String { instanceFolder(instance) + "/new" }
    /// The release that runs, or would.
    package func current(_ instance: Int) -> String { instanceFolder(instance) + "/current" }
    /// The release before it.
    package func previous(_ instance: Int) -> String { instanceFolder(instance) + "/previous" }

    package func versionFolder(_ instance: Int) -> String { "\(basePath)/version/\(instance)" }
    package func currentVersion(_ instance: Int) -> String {
        versionFolder(instance) + "/current.json"
    }
    package func previousVersion(_ instance: Int) -> String {
        versionFolder(instance) + "/previous.json"
    }

    /// The program that starts the release in `current`.
    package func program(_ instance: Int) -> String { current(instance) + "/bin/\(application)" }
}
