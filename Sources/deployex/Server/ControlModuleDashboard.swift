internal import Dashboard
internal import Deployment
internal import Supervisor
internal import Transport

/// The dashboard asks what commands ask.
extension ControlModule: DeploymentBackend {
    func status() async -> StatusReport { await statusReport(of: nil) }

    func versions(of application: String?) async -> VersionsReport {
        await versionsReport(of: application)
    }

    func perform(
        _ command: EngineCommand, of application: String, by caller: String
    ) async throws(DashboardRefusal) -> String {
        do throws(ControlRefusal) {
            if let instance = command.instance {
                _ = try directory.instance(instance.value, of: application)
            } else {
                _ = try directory.application(application)
            }
        } catch {
            throw DashboardRefusal(.notFound, "\(error)")
        }
        do throws(ControlRefusal) {
            return try await perform(command, of: application, askedBy: caller)
        } catch {
            throw DashboardRefusal(.conflict, "\(error)")
        }
    }

    func change(
        after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int {
        do throws(ObservationFeed.Refusal) {
            return try await feed.change(
                of: Set(applications.map { .application($0.configuration.name) }), after: seen,
                by: observer, within: limit)
        } catch {
            throw DashboardRefusal(error)
        }
    }
}

extension DashboardRefusal {
    init(_ refusal: ObservationFeed.Refusal) {
        switch refusal {
        case .full: self.init(.unavailable, "too many observers wait already")
        case .closed: self.init(.unavailable, "deployex is ending")
        }
    }
}

extension EngineCommand {
    fileprivate var instance: InstanceNumber? {
        switch self {
        case .restart(let number), .stop(let number), .start(let number): number
        case .deploy, .rollback, .unghost: nil
        }
    }
}
