internal import Deployment
internal import Supervisor
internal import Transport

/// Restarts all instances of an application, each when the one before it is ready again.
actor RestartsInTurn {
    private nonisolated let loop: EventLoop
    private let backend: any DeploymentBackend
    private let report: @Sendable (DashboardReport) -> Void
    private var underWay: Set<String> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// So long an instance may take to be ready again, before the others are left as they are.
    private static let patience: Duration = .seconds(300)

    init(
        _ backend: any DeploymentBackend, loop: EventLoop,
        report: @escaping @Sendable (DashboardReport) -> Void
    ) {
        self.backend = backend
        self.loop = loop
        self.report = report
    }

    /// Begins with the first one.
    /// - Returns: what happens now.
    func begin(_ application: String, by caller: String) async throws(DashboardRefusal) -> String {
        guard underWay.insert(application).inserted else {
            throw DashboardRefusal(.conflict, "its instances are being restarted already")
        }
        var isBegun = false
        defer { if !isBegun { underWay.remove(application) } }
        let found = await backend.status().applications.first { $0.name == application }
        guard let found else {
            throw DashboardRefusal(.notFound, "there is no application of this name")
        }
        let members = found.instances.filter {
            $0.version != nil && $0.isStoppedByOperator != true && $0.number != nil
        }
        guard let first = members.first else {
            throw DashboardRefusal(.conflict, "there is nothing to restart")
        }
        let text = try await restart(first, of: application, by: caller)
        isBegun = true
        Task(executorPreference: loop) {
            await self.goOn(after: first, with: members.dropFirst(), of: application, by: caller)
        }
        let others = members.count - 1
        return others == 0 ? text : "\(text), and then the other \(others) in turn"
    }

    private func restart(
        _ instance: StatusReport.Instance, of application: String, by caller: String
    ) async throws(DashboardRefusal) -> String {
        try await backend.perform(
            .restart(InstanceNumber(instance.number ?? 1)), of: application, by: caller)
    }

    private func goOn(
        after first: StatusReport.Instance, with others: ArraySlice<StatusReport.Instance>,
        of application: String, by caller: String
    ) async {
        defer { underWay.remove(application) }
        var last = first
        do throws(DashboardRefusal) {
            for next in others {
                try await ready(last, of: application, by: caller)
                _ = try await restart(next, of: application, by: caller)
                last = next
            }
        } catch {
            report(
                .warning(
                    "\(application): the restart of its instances in turn, asked for by \(caller), ends "
                        + "at instance \(last.number ?? 0): \(error.text)"))
        }
    }

    /// Returns when another process of the instance is ready.
    private func ready(
        _ instance: StatusReport.Instance, of application: String, by caller: String
    ) async throws(DashboardRefusal) {
        let deadline = MonotonicTime.now + Self.patience
        var seen = -1
        while true {
            seen = try await backend.change(
                after: seen, by: "restarts of \(application)", within: .seconds(5))
            let now = await backend.status().applications.first { $0.name == application }?
                .instances.first { $0.number == instance.number }
            if now?.isStoppedByOperator == true { return }
            if now?.status == "running", now?.pid != instance.pid { return }
            if now?.status == "failed" {
                throw DashboardRefusal(.conflict, now?.reason ?? "it has failed")
            }
            guard MonotonicTime.now < deadline else {
                throw DashboardRefusal(
                    .conflict, "it is not ready after \(Self.patience.components.seconds) seconds")
            }
        }
    }
}
