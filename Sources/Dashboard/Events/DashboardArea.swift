/// A part of the dashboard, such as the logs: what it answers, and what can be watched of it.
package protocol DashboardArea: Sendable {
    var routes: [Route] { get }

    /// The source of a topic.
    /// - Parameters:
    ///   - name: the topic's name, split at each `/`: `log`, `counter`, `1`, `stdout`.
    ///   - visitor: who watches; at least a viewer.
    /// - Returns: `nil` if the topic is not one of this area.
    /// - Throws: a refusal if it is, but there is no such application or instance.
    func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)?

    /// A session has ended, by logout or by time: what belongs to it ends too.
    func sessionEnded(_ session: SessionID) async
}

extension DashboardArea {
    package func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? { nil }

    package func sessionEnded(_ session: SessionID) async {}
}
