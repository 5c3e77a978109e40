internal import Deployment
internal import ExternalTermFormat
internal import HTTP

/// Login and logout: `/api/v1/session`.
struct SessionArea: DashboardArea {
    let access: DashboardAccess

    var routes: [Route] {
        [
            Route("GET", Self.path, .viewer) { request in
                .json(200, description(of: request))
            },
            Route("POST", Self.path, .open) { request in
                do throws(DashboardAccess.Denial) {
                    let login = try await access.logIn(request.http)
                    var response = HTTPServerResponse.json(
                        200,
                        .object([
                            ("token", .binary(login.token)),
                            ("role", .binary(login.visitor.role?.rawValue ?? "")),
                            (
                                "terminal",
                                access.mayOpenTerminals(login.visitor, from: request.http).term
                            ),
                        ]))
                    response.fields.append(login.cookie)
                    return response
                } catch {
                    return .denied(error, methods: access.methods)
                }
            },
            Route("DELETE", Self.path, .viewer) { request in
                var response = HTTPServerResponse.noContent
                response.fields.append(await access.logOut(request.visitor, request.http))
                return response
            },
        ]
    }

    private static let path = "/api/v1/session"

    private func description(of request: RoutedRequest) -> Term {
        let visitor = request.visitor
        let members: [(Atom, Term)] = [
            ("role", .binary(visitor.role?.rawValue ?? "")),
            ("terminal", access.mayOpenTerminals(visitor, from: request.http).term),
            ("methods", access.methods.term),
        ]
        return .object(members)
    }
}

extension HTTPServerResponse {
    /// - Parameter methods: the ways of logging in.
    static func denied(
        _ denial: DashboardAccess.Denial, methods: [String]
    ) -> HTTPServerResponse {
        switch denial {
        case .forbidden(let text): return .error(403, text)
        case .malformed(let text): return .error(400, text)
        case .busy: return .error(503, "too many are logging in: try again")
        case .unauthorized(let text):
            var response = json(
                401, .object([("error", .binary(text)), ("methods", methods.term)]))
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
