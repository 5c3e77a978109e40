internal import HTTP
internal import Notifications

/// Who hears of deployments, crashes and the like. Addresses and keys are secrets.
struct NotificationOptions: Equatable {
    private(set) var webhook: DashboardOptions.Secret?
    private(set) var webhookKey: DashboardOptions.Secret?
    private(set) var slack: DashboardOptions.Secret?
    private(set) var pagerDuty: DashboardOptions.Secret?
    private var pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

    init(_ settings: Settings) throws(UsageError) {
        webhook = try DashboardOptions.secret(.webhookURL, .webhookURLFile, settings)
        webhookKey = try DashboardOptions.secret(.webhookSecret, .webhookSecretFile, settings)
        slack = try DashboardOptions.secret(.slackURL, .slackURLFile, settings)
        pagerDuty = try DashboardOptions.secret(.pagerDutyToken, .pagerDutyTokenFile, settings)
        if let value = settings.value(.pagerDutyURL) {
            pagerDutyURL = try value.text()
            guard (try? HTTPURL(pagerDutyURL)) != nil else {
                throw value.failure("an address that begins with https://")
            }
        }
    }

    /// The receivers, with the secrets themselves. It blocks.
    func readSinks() throws(UsageError) -> [NotificationSink] {
        var sinks: [NotificationSink] = []
        if let (text, name) = try Self.read(webhook) {
            let url = try Self.url(text, name, mayBePlain: true)
            sinks.append(NotificationSink(.webhook(key: try Self.read(webhookKey)?.text), url: url))
        } else if let webhookKey {
            throw UsageError(
                "\(webhookKey.name): a key is for a webhook, and no webhook's address is set",
                "start")
        }
        if let (text, name) = try Self.read(slack) {
            sinks.append(
                NotificationSink(.slack, url: try Self.url(text, name, mayBePlain: false)))
        }
        if let (text, _) = try Self.read(pagerDuty) {
            let url = try Self.url(
                pagerDutyURL, Setting.pagerDutyURL.variable ?? "", mayBePlain: false)
            sinks.append(NotificationSink(.pagerDuty(routingKey: text), url: url))
        }
        return sinks
    }

    /// An empty key would let anybody sign.
    private static func read(
        _ secret: DashboardOptions.Secret?
    ) throws(UsageError) -> (text: String, name: String)? {
        guard let found = try secret?.read() else { return nil }
        guard !found.text.isEmpty else { throw UsageError("\(found.name): it is empty", "start") }
        return found
    }

    private static func url(
        _ text: String, _ name: String, mayBePlain: Bool
    ) throws(UsageError) -> HTTPURL {
        let url: HTTPURL
        do throws(HTTPURLError) {
            url = try HTTPURL(text)
        } catch {
            throw UsageError("\(name): \(error)", "start")
        }
        let isHere = ["127.0.0.1", "::1", "localhost"].contains(url.host)
        guard mayBePlain || isHere || url.scheme == .https else {
            throw UsageError("\(name): the address must begin with https://", "start")
        }
        return url
    }
}
