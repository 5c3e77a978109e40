import Foundation
import Glibc
import TestKit
import Testing

@testable import Notifications
@testable import deployex

@Suite struct NotificationOptionsTests {
    private func sinks(_ variables: [String: String]) throws -> [NotificationSink] {
        try ServerConfiguration(
            environment: variables.merging(["DEPLOYEX_MONITORED_APP_NAME": "counter"]) { $1 }
        ).notifications.readSinks()
    }

    @Test func `receivers come from the environment and from files`() throws {
        #expect(try sinks([:]).isEmpty)
        let folder = TemporaryFolder("notifications")
        let file = folder("slack")
        try "https://hooks.example.org/services/T\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
        let found = try sinks([
            "DEPLOYEX_WEBHOOK_SECRET_URL": "http://10.0.0.1/hook",
            "DEPLOYEX_WEBHOOK_SECRET": "a key", "DEPLOYEX_SLACK_SECRET_URL_FILE": file,
            "DEPLOYEX_PAGERDUTY_TOKEN": "R",
        ])
        #expect(
            found.map(\.form) == [.webhook(key: "a key"), .slack, .pagerDuty(routingKey: "R")])
        #expect(
            found.map { "\($0.url)" } == [
                "http://10.0.0.1/hook", "https://hooks.example.org/services/T",
                "https://events.pagerduty.com/v2/enqueue",
            ])
        #expect(found.map { "\($0)" } == ["webhook", "Slack", "PagerDuty"])
        chmod(file, 0o644)
        #expect(throws: UsageError.self) { try sinks(["DEPLOYEX_SLACK_SECRET_URL_FILE": file]) }
    }

    @Test(arguments: [
        ["DEPLOYEX_SLACK_SECRET_URL": "http://hooks.example.org/kept"],
        ["DEPLOYEX_SLACK_SECRET_URL": "kept-secret"],
        ["DEPLOYEX_WEBHOOK_SECRET_URL": "ftp://example.org/kept"],
        ["DEPLOYEX_WEBHOOK_SECRET": "kept-secret"],
        ["DEPLOYEX_PAGERDUTY_URL": "http://example.org/", "DEPLOYEX_PAGERDUTY_TOKEN": "kept"],
    ])
    func `what cannot be used is refused by its name alone`(variables: [String: String]) {
        let error = #expect(throws: UsageError.self) { try sinks(variables) }
        let text = error?.message ?? ""
        #expect(variables.keys.contains { text.hasPrefix($0) }, "\(text)")
        #expect(!text.contains("kept"), "\(text)")
    }

    @Test func `a certificate's end comes nearer in three steps`() {
        let day: Int64 = 86_400
        #expect([31, 30, 29, 7, 6, 0].map { Notifier.stage($0 * day) } == [0, 0, 1, 1, 2, 2])
        #expect(Notifier.stage(-1) == 3)
    }
}
