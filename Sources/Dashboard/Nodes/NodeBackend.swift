package import Deployment
package import ExternalTermFormat
package import Supervisor

/// This host's figures.
package protocol HostBackend: Sendable {
    func host() async -> HostReport

    /// Somebody observes the host: it is looked at from now on. Returns as soon as there are other
    /// figures than at `seen`, or after `limit`.
    func hostChange(after seen: Int, by observer: String, within limit: Duration)
        async throws(DashboardRefusal) -> Int
}

/// The nodes of the instances, each asked over the distribution.
package protocol NodeBackend: Sendable {
    /// - Throws: a refusal if there is no such application or instance.
    func instance(
        _ number: InstanceNumber, of application: String
    ) throws(DashboardRefusal) -> InstanceName

    /// The figures of those nodes that have told them lately, or tell them within two seconds.
    func figures(of instances: [InstanceName]) async -> [InstanceName: NodeFigures]

    func node(_ instance: InstanceName) async throws(DashboardRefusal) -> NodeReport

    /// Somebody observes the node: it is asked from now on. Returns as soon as it has been asked
    /// again since `seen`, or after `limit`.
    func nodeChange(
        of instance: InstanceName, after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int

    func details(of instance: InstanceName) async throws(DashboardRefusal) -> Term
    func processes(
        of instance: InstanceName, by order: ProcessList.Order, limit: Int
    ) async throws(DashboardRefusal) -> ProcessList
    /// - Parameter withState: whether the process is asked for its state, too.
    func process(
        _ pid: String, of instance: InstanceName, withState: Bool
    ) async throws(DashboardRefusal) -> ProcessDetails
    func tree(
        of application: String, in instance: InstanceName
    ) async throws(DashboardRefusal) -> SupervisionTree
    func tables(of instance: InstanceName) async throws(DashboardRefusal) -> TableList
    func applications(of instance: InstanceName) async throws(DashboardRefusal) -> ApplicationList
    func crashDump(of instance: InstanceName) async throws(DashboardRefusal) -> CrashDumpFile
}

/// What is known of a node.
package struct NodeReport: Equatable, Sendable {
    package var figures: NodeFigures
    package var history: NodeHistory

    package init(figures: NodeFigures, history: NodeHistory) {
        self.figures = figures
        self.history = history
    }
}
