package import HTTP
package import Transport

/// What the dashboard's address serves. Its ``answer(_:)`` is the handler of an ``HTTPServer``.
package actor DashboardService {
    package struct Settings: Sendable {
        /// The names under which it may be asked.
        package var hosts = AllowedHosts()

        package init() {}
    }

    private nonisolated let loop: EventLoop
    private let settings: Settings
    /// Everything that is answered.
    nonisolated let routes: [Route]
    private let router: Router<Route>
    private let areas: [any DashboardArea]
    private let hub: EventHub
    private var watchesSessions = false
    private let access: DashboardAccess

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - access: who may do what; no other service has it.
    ///   - more: areas beside those of the backends.
    ///   - report: hears what belongs into deployex's log.
    package init(
        _ settings: Settings, access: DashboardAccess, backends: Backends, loop: EventLoop,
        adding more: [any DashboardArea] = [],
        report: @escaping @Sendable (DashboardReport) -> Void = { _ in }
    ) {
        self.settings = settings
        self.loop = loop
        let areas = backends.areas(loop: loop, report: report) + more
        let hub = EventHub(loop: loop)
        let all: [any DashboardArea] =
            [
                FigureArea(
                    backend: backends.deployments, nodes: backends.nodes, access: access, loop: loop
                ),
                SessionArea(access: access), EventArea(hub: hub, areas: areas), PageArea(),
            ] + areas
        routes = all.flatMap(\.routes)
        router = Router(routes.map { .init($0.method, $0.pattern, $0) })
        self.access = access
        self.areas = all
        self.hub = hub
    }

    /// Begins to end what belongs to a session when the session ends.
    private func watchSessions() async {
        guard !watchesSessions else { return }
        watchesSessions = true
        await access.watch(
            ended: { [areas] session in
                for area in areas { await area.sessionEnded(session) }
            },
            inUse: { [hub] in await hub.sessions })
    }

    package func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        var response = await routed(request)
        response.fields += BrowserRules.fields
        return response
    }

    private func routed(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        guard settings.hosts.allow(request.head.host) else {
            return .text(
                421, "deployex does not answer under this name: DEPLOYEX_PHX_HOST names another one"
            )
        }
        guard let path = RequestPath(request.head.path) else {
            return .error(404, "there is nothing here")
        }
        switch router.match(method: request.method, path: path) {
        case .notFound: return .error(404, "there is nothing here")
        case .otherMethods(let methods):
            var response = HTTPServerResponse.error(405, "the method is not allowed here")
            let allowed = methods.contains("GET") ? methods + ["HEAD"] : methods
            response.fields.append(HTTPField("Allow", allowed.joined(separator: ", ")))
            return response
        case .found(let route, let parameters):
            let visitor: Visitor
            await watchSessions()
            do throws(DashboardAccess.Denial) {
                visitor = try await access.admit(request, to: route.access)
            } catch {
                return .denied(error, methods: access.methods)
            }
            do throws(DashboardRefusal) {
                return try await route.answer(
                    RoutedRequest(request, of: visitor, parameters: parameters))
            } catch {
                return .refused(error)
            }
        }
    }
}
