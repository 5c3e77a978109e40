internal import Deployment
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// Something that people want to hear of at once.
package struct NotificationEvent: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case deploymentBegun = "deployment_begun"
        case deploymentDone = "deployment_done"
        case deploymentFailed = "deployment_failed"
        case rolledBack = "rolled_back"
        case crashLoop = "crash_loop"
        case crashLoopOver = "crash_loop_over"
        case thresholdCrossed = "threshold_crossed"
        case thresholdLeft = "threshold_left"
        case certificateExpiring = "certificate_expiring"
        case certificateRenewed = "certificate_renewed"
        case problem
        case problemOver = "problem_over"
        case test
    }

    /// What the event does to an alert.
    package enum Alert: Equatable, Sendable {
        case none, trigger, resolve
    }

    /// Equal for what is the same event, also after a restart of deployex.
    package let id: String
    package let kind: Kind
    package let host: String
    /// What it is about: equal for an alert and for what ends it.
    package let subject: String
    /// Seconds since 1970.
    package let at: Int64
    package var application: String?
    package var instance: Int?
    package var version: String?
    package var reason: String?

    /// - Parameter mark: tells this event from others of its kind and subject.
    package init(
        _ kind: Kind, host: String, subject: String, mark: String, at: Int64,
        application: String? = nil, instance: Int? = nil, version: String? = nil,
        reason: String? = nil
    ) {
        let parts = [kind.rawValue, host, subject, mark].joined(separator: "\0")
        id = String(Digest.text(Digest.sha256(Array(parts.utf8))).prefix(32))
        self.kind = kind
        self.host = host
        self.subject = subject
        self.at = at
        self.application = application.map { Self.bounded($0) }
        self.instance = instance
        self.version = version.map { Self.bounded($0) }
        self.reason = reason.map { Self.bounded($0) }
    }

    package var alert: Alert {
        switch kind {
        case .deploymentFailed, .crashLoop, .thresholdCrossed, .certificateExpiring, .problem:
            .trigger
        case .deploymentDone, .crashLoopOver, .thresholdLeft, .certificateRenewed, .problemOver:
            .resolve
        case .deploymentBegun, .rolledBack, .test: .none
        }
    }

    /// One line for people.
    package var sentence: String {
        let name = application ?? "deployex"
        let place = instance.map { "instance \($0) of \(name)" } ?? name
        let what = version.map { "version \($0)" } ?? "a version"
        let text =
            switch kind {
            case .deploymentBegun: "the deployment of \(what) of \(name) has begun"
            case .deploymentDone: "\(what) of \(name) is deployed"
            case .deploymentFailed: "the deployment of \(what) of \(name) has failed"
            case .rolledBack: "\(name) went back to \(what)"
            case .crashLoop: "\(place) crashes again and again"
            case .crashLoopOver: "\(place) crashes no more"
            case .thresholdCrossed: "\(place) is over a threshold"
            case .thresholdLeft: "\(place) is below the threshold again"
            case .certificateExpiring: "a certificate is about to expire"
            case .certificateRenewed: "a certificate is renewed"
            case .problem:
                version.map { "the deployment of version \($0) of \(name) does not go on" }
                    ?? "\(name) has a problem"
            case .problemOver: "\(name) has its problem no more"
            case .test: "this is a test of deployex's notifications"
            }
        return "\(host): \(text)" + (reason.map { ": \(SafeText.line($0))" } ?? "")
    }

    private static func bounded(_ text: String) -> String {
        text.utf8.count <= 600 ? text : String(decoding: text.utf8.prefix(600), as: UTF8.self) + "…"
    }

    var json: Term {
        .members([
            ("id", id.term), ("event", kind.rawValue.term), ("at", at.term),
            ("host", host.term), ("application", .orNull(application)),
            ("instance", .orNull(instance)), ("version", .orNull(version)),
            ("reason", .orNull(reason)), ("text", sentence.term),
        ])
    }
}

extension Term {
    static func members(_ pairs: [(String, Term)]) -> Term {
        .object(pairs.map { (Atom(stringLiteral: $0.0), $0.1) })
    }
}
