internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Supervisor
internal import Transport

/// `/health` and `/metrics`.
struct FigureArea: DashboardArea {
    let backend: any DeploymentBackend
    var nodes: (any NodeBackend)?
    let access: DashboardAccess
    let loop: EventLoop

    var routes: [Route] {
        [
            Route("GET", "/health", .open) { _ in Self.health(await backend.status()) },
            Route("GET", "/metrics", .figures) { _ in
                let report = await backend.status()
                let own = OwnFigures(
                    process: await offload { ProcessUse.own() }, turns: loop.turnTimes,
                    logins: await access.counts)
                let text = Metrics.text(
                    report, nodes: await nodes?.figures(of: report.connectedInstances) ?? [:],
                    own: own)
                return HTTPServerResponse(
                    200, fields: [HTTPField("Content-Type", Metrics.contentType), .noStore],
                    content: .bytes(Array(text.utf8)))
            },
        ]
    }

    /// 200 while every instance that is not stopped on purpose runs as it should.
    private static func health(_ report: StatusReport) -> HTTPServerResponse {
        let instances = report.applications.flatMap(\.instances)
        let wanted = instances.filter { $0.isStoppedByOperator != true }
        let running = wanted.filter { $0.status == "running" }
        let isHealthy = running.count == wanted.count
        return .json(
            isHealthy ? 200 : 503,
            .object([
                ("status", .binary(isHealthy ? "ok" : "degraded")),
                ("instances", .integer(wanted.count)), ("running", .integer(running.count)),
            ]))
    }
}

extension StatusReport {
    /// The instances whose nodes can be asked.
    fileprivate var connectedInstances: [InstanceName] {
        applications.flatMap { application in
            application.instances.compactMap { instance in
                guard instance.isConnected, let name = application.name,
                    let number = instance.number.flatMap({ InstanceNumber(rawValue: $0) })
                else { return nil }
                return InstanceName(app: name, number: number)
            }
        }
    }
}
