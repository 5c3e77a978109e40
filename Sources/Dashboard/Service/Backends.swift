package import Deployment
internal import Transport

/// What the dashboard shows and does, by area. Everybody who asks deployex for something has the
/// same answers: commands, pages, and machines.
package struct Backends: Sendable {
    package var deployments: any DeploymentBackend
    package var host: (any HostBackend)?
    package var nodes: (any NodeBackend)?

    package init(deployments: any DeploymentBackend) {
        self.deployments = deployments
    }

    /// The areas, each with its routes and its topics.
    func areas(
        loop: EventLoop, report: @escaping @Sendable (DashboardReport) -> Void
    ) -> [any DashboardArea] {
        var areas: [any DashboardArea] = [
            DeploymentArea(deployments, loop: loop, report: report)
        ]
        if let host { areas.append(HostArea(host)) }
        if let nodes { areas.append(NodeArea(nodes)) }
        return areas
    }
}

/// The applications: what runs, what was deployed, and the commands.
package protocol DeploymentBackend: Sendable {
    func status() async -> StatusReport

    /// - Parameter application: `nil` for all of them.
    func versions(of application: String?) async -> VersionsReport

    /// Carries a command out.
    /// - Parameter caller: who asked for it, for the log.
    func perform(
        _ command: EngineCommand, of application: String, by caller: String
    ) async throws(DashboardRefusal) -> String

    /// Returns as soon as the state of some application is newer than `seen`, or after `limit`.
    /// - Returns: the revision then; `seen` itself after `limit`.
    func change(after seen: Int, by observer: String, within limit: Duration)
        async throws(DashboardRefusal) -> Int
}
