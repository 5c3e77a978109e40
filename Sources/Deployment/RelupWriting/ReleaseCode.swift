internal import ExternalTermFormat

/// What a release consists of, as far as a relup between it and another one depends on it.
package struct ReleaseCode: Equatable, Sendable {
    package struct Application: Equatable, Sendable {
        package var name: String
        package var version: String
        /// How the release starts it; `nil` is as `permanent`.
        package var type: String?
        /// The applications that it needs.
        package var needs: [String] = []
        package var included: [String] = []
        /// The module that starts it, the argument, and the phases of its start; `nil` for a
        /// library.
        var start: Start?
        /// Its modules that the other release does not have byte for byte.
        package var modules: [String: ModuleCode] = [:]
        /// The digests of its libraries of native code, by their paths.
        package var libraries: [String: [UInt8]] = [:]
        /// The digest of the list of its static files.
        package var manifest: [UInt8]?

        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    struct Start: Equatable, Sendable {
        var module: String
        var argument: Term
        var phases: Term?
        /// Whether the module wants to know when the environment changes.
        var hearsOfConfiguration = false
    }

    package var version: String
    package var applications: [Application]
    /// The protocols that `mix` has made for the release as a whole. A node takes them instead of
    /// those of the applications.
    package var consolidated: [String: ModuleCode] = [:]
    /// Whether the release has a folder of them.
    package var isConsolidated = false

    package init(version: String, applications: [Application]) {
        self.version = version
        self.applications = applications
    }

    package func application(_ name: String) -> Application? {
        applications.first { $0.name == name }
    }
}
