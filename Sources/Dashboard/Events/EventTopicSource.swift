internal import Deployment
package import ExternalTermFormat

/// One thing that event streams report on, such as the status or the log of an instance.
///
/// A stream asks for the next news only when it has sent the last. So a slow client skips what lies
/// between, and nothing is queued for it.
package protocol EventTopicSource: Sendable {
    /// The name of its events, such as `status`.
    var kind: String { get }

    /// Waits until there is something after `cursor`, and returns it. When the task is cancelled it
    /// returns soon, whatever it returns.
    ///
    /// What it has returned may be dropped unsent. It is then asked for again after the same cursor.
    /// - Parameter cursor: ``TopicNews/cursor`` of earlier news, but any text may come from a
    ///   client; `nil` for the whole state, or what happens from now on.
    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews
}

/// What has happened of a topic.
package struct TopicNews: Equatable, Sendable {
    /// Where it ends: what comes later comes after this.
    package var cursor: String
    /// A JSON object without line ends. The stream adds the members `topic` and `cursor`.
    let content: String

    /// - Parameter object: at most about 64 KiB as JSON.
    package init(cursor: String, _ object: Term) {
        self.init(cursor: cursor, json: object.compactJSON)
    }

    /// - Parameter json: an object as ``Term/compactJSON`` writes it.
    package init(cursor: String, json: String) {
        precondition(json.hasPrefix("{"), "News are an object")
        self.cursor = cursor
        content = json
    }

    /// The object with `topic` and `cursor` in front.
    func data(of topic: String) -> String {
        let own = Term.object([("topic", .binary(topic)), ("cursor", .binary(cursor))]).compactJSON
        let rest = content.dropFirst()
        return "\(own.dropLast())\(rest == "}" ? "" : ",")\(rest)"
    }
}
