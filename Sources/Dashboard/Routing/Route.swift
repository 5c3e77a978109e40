package import HTTP

/// Requests of one method and one form of path: who may ask, and what answers.
package struct Route: Sendable {
    /// It runs on the loop, so it offloads whatever takes time.
    package typealias Answer =
        @Sendable (RoutedRequest) async throws(DashboardRefusal) -> HTTPServerResponse

    package let method: String
    /// Such as `/api/v1/apps/:app/deploy`. What begins with `:` stands for any one segment, and is
    /// a parameter of that name.
    package let pattern: String
    package let access: AccessLevel
    package let answer: Answer

    package init(
        _ method: String, _ pattern: String, _ access: AccessLevel, answer: @escaping Answer
    ) {
        self.method = method
        self.pattern = pattern
        self.access = access
        self.answer = answer
    }
}
