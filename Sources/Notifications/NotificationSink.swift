internal import Deployment
internal import ExternalTermFormat
package import HTTP
internal import Transport

/// Who hears of events. Addresses and keys are secrets.
package struct NotificationSink: Equatable, Sendable, CustomStringConvertible {
    package enum Form: Equatable, Sendable {
        /// JSON; with a key, signed.
        case webhook(key: String?)
        case slack
        case pagerDuty(routingKey: String)
    }

    package let url: HTTPURL
    package let form: Form

    package init(_ form: Form, url: HTTPURL) {
        self.form = form
        self.url = url
    }

    /// Whether both are the same kind of receiver: there is at most one of each.
    package func isSameReceiver(_ other: NotificationSink) -> Bool {
        description == other.description
    }

    /// Its name, which is all of it that a log may show.
    package var description: String {
        switch form {
        case .webhook: "webhook"
        case .slack: "Slack"
        case .pagerDuty: "PagerDuty"
        }
    }

    /// The request that tells of an event.
    /// - Parameter time: seconds since 1970, when it is sent.
    /// - Returns: `nil` for an event that this receiver does not take.
    package func request(_ event: NotificationEvent, at time: Int64) -> HTTPRequest? {
        guard let term = content(event) else { return nil }
        let content = Array(term.compactJSON.utf8)
        var fields = [HTTPField("Content-Type", "application/json")]
        if case .webhook(let key) = form {
            fields.append(HTTPField("X-Deployex-Event", event.kind.rawValue))
            fields.append(HTTPField("X-Deployex-Event-Id", event.id))
            fields.append(HTTPField("X-Deployex-Timestamp", "\(time)"))
            if let key {
                let signature = Digest.hmacSHA256(
                    Array("\(time).".utf8) + content, key: Array(key.utf8))
                fields.append(
                    HTTPField(
                        "X-Deployex-Signature", "sha256=\(Digest.text(signature))"))
            }
        }
        return HTTPRequest("POST", url, fields: fields, content: .bytes(content))
    }

    private func content(_ event: NotificationEvent) -> Term? {
        switch form {
        case .webhook: return event.json
        case .slack: return .members([("text", Self.escaped(event.sentence).term)])
        case .pagerDuty(let key): return pagerDuty(event, key)
        }
    }

    /// Source: "PagerDuty Events API v2", send an event.
    private func pagerDuty(_ event: NotificationEvent, _ key: String) -> Term? {
        let isTest = event.kind == .test
        guard event.alert != .none || isTest else { return nil }
        var members: [(String, Term)] = [
            ("routing_key", key.term),
            ("event_action", (event.alert == .resolve ? "resolve" : "trigger").term),
            ("dedup_key", "deployex/\(event.host)/\(event.subject)".term),
        ]
        if event.alert != .resolve {
            let severity = isTest ? "info" : event.kind == .deploymentFailed ? "error" : "warning"
            members.append(
                (
                    "payload",
                    .members([
                        ("summary", String(event.sentence.prefix(1_000)).term),
                        ("source", event.host.term), ("severity", severity.term),
                        ("component", .orNull(event.application)),
                        ("class", event.kind.rawValue.term), ("custom_details", event.json),
                    ])
                ))
        }
        return .members(members)
    }

    /// What an application has said is neither a link nor a call of people.
    ///
    /// Source: Slack, "Formatting text for app surfaces", escaping.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
