internal import Deployment
package import ExternalTermFormat
package import HTTP

extension HTTPField {
    package static let noStore = HTTPField("Cache-Control", "no-store")
}

extension HTTPServerResponse {
    package static func json(_ status: Int, _ term: Term) -> HTTPServerResponse {
        HTTPServerResponse(
            status, fields: [HTTPField("Content-Type", "application/json"), .noStore],
            content: .bytes(Array((term.json + "\n").utf8)))
    }

    package static func error(_ status: Int, _ text: String) -> HTTPServerResponse {
        .json(status, .object([("error", .binary(text))]))
    }

    package static func refused(_ refusal: DashboardRefusal) -> HTTPServerResponse {
        .error(refusal.status, refusal.text)
    }

    /// Nothing to say but that it is done.
    package static var noContent: HTTPServerResponse {
        HTTPServerResponse(204, fields: [.noStore])
    }
}
