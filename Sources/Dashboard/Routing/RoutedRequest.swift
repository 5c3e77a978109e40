package import Deployment
package import HTTP
package import Supervisor

/// A request that has found its ``Route``, from somebody who may ask.
package struct RoutedRequest: Sendable {
    package var http: HTTPServerRequest
    package var visitor: Visitor
    private let parameters: [String: String]

    package init(
        _ http: HTTPServerRequest, of visitor: Visitor, parameters: [String: String] = [:]
    ) {
        self.http = http
        self.visitor = visitor
        self.parameters = parameters
    }

    /// The segment that stands where the route's pattern has `:name`.
    package subscript(_ name: String) -> String {
        guard let value = parameters[name] else {
            preconditionFailure("The route's pattern has no :\(name)")
        }
        return value
    }

    /// The instance's number where the pattern has `:instance`.
    package func instance() throws(DashboardRefusal) -> InstanceNumber {
        guard let number = Int(self["instance"]),
            let instance = InstanceNumber(rawValue: number)
        else { throw DashboardRefusal(.notFound, "there is no instance of this number") }
        return instance
    }

    /// What follows the path's `?`.
    package func query() throws(DashboardRefusal) -> FormFields {
        guard let fields = FormFields(http.head.query) else {
            throw DashboardRefusal(.malformed, "the query cannot be read")
        }
        return fields
    }

    /// The content as JSON.
    package func json() throws(DashboardRefusal) -> JSONValue {
        do {
            return try JSONReader.value(http.content)
        } catch {
            throw DashboardRefusal(.malformed, "JSON is expected as content: \(error)")
        }
    }

    /// The text of a member of the content.
    package func text(
        _ member: String, limit: Int = 255
    ) throws(DashboardRefusal) -> String {
        guard let text = try? json()[member]?.text, (1...limit).contains(text.utf8.count) else {
            throw DashboardRefusal(
                .malformed, "a JSON object with a \"\(member)\" is expected as content")
        }
        return text
    }
}
