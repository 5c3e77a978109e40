package import HTTP
package import Transport

/// What the dashboard's address serves. Its ``answer(_:)`` is the handler of an ``HTTPServer``.
package actor DashboardService {
    package struct Settings: Sendable {
        /// The names under which it may be asked.
        package var hosts = AllowedHosts()
        package var access = AccessControl.Settings()

        package init() {}
    }

    private nonisolated let loop: EventLoop
    private let settings: Settings
    private let router: Router<Route>
    private var access: AccessControl

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - report: hears what belongs into deployex's log.
    ///   - processFigures: figures of deployex's own process.
    package init(
        _ settings: Settings, backends: Backends, loop: EventLoop,
        report: @escaping @Sendable (DashboardReport) -> Void = { _ in },
        processFigures: @escaping @Sendable () -> [Metrics.Sample] = { [] }
    ) {
        self.settings = settings
        self.loop = loop
        let areas = backends.areas(loop: loop, report: report)
        let all: [any DashboardArea] =
            [
                FigureArea(backend: backends.deployments, processFigures: processFigures),
                EventArea(hub: EventHub(loop: loop), areas: areas), PageArea(),
            ] + areas
        router = Router(all.flatMap(\.routes).map { .init($0.method, $0.pattern, $0) })
        access = AccessControl(settings.access)
    }

    package func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        var response = await routed(request)
        response.fields += BrowserRules.fields
        return response
    }

    private func routed(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        guard settings.hosts.allow(request.head.host) else {
            return .text(421, "deployex is not known here under this name")
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
            do throws(AccessControl.Denial) {
                visitor = try access.admit(request, to: route.access, at: .now)
            } catch {
                return .denied(error)
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

extension HTTPServerResponse {
    fileprivate static func denied(_ denial: AccessControl.Denial) -> HTTPServerResponse {
        switch denial {
        case .forbidden(let text): return .error(403, text)
        case .unauthorized(let text):
            var response = error(401, text)
            response.fields.append(HTTPField("WWW-Authenticate", "Bearer"))
            return response
        case .tooManyAttempts(let wait):
            var response = error(429, "too many failed attempts: wait")
            response.fields.append(
                HTTPField("Retry-After", "\(Int(wait.components.seconds) + 1)"))
            return response
        }
    }
}
