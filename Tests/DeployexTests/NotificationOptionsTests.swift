import Foundation
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

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

    @Test func `receivers change with their secrets, each by its kind`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let notifier = try Notifier([], host: "h", environment: [:], loop: loop) { _, _ in }
        func taken(_ variables: [String: String]) async throws -> [String] {
            try await notifier.take(sinks(variables))
        }
        let slack = ["DEPLOYEX_SLACK_SECRET_URL": "https://hooks.example.org/1"]
        #expect(try await taken(slack) == ["Slack"])
        #expect(try await taken(slack) == [])
        #expect(
            try await taken([
                "DEPLOYEX_SLACK_SECRET_URL": "https://hooks.example.org/2",
                "DEPLOYEX_PAGERDUTY_TOKEN": "R",
            ]) == ["Slack", "PagerDuty"])
        #expect(try await taken([:]) == ["Slack", "PagerDuty"])
        #expect(try await taken([:]) == [])
        await notifier.stop()
    }

    @Test func `what was told of certificates is kept in the base folder`() throws {
        let folder = TemporaryFolder("told")
        let file = CertificateWatchFile(basePath: folder.path, files: HostFileSystem())
        #expect(file.read() == nil)
        var watch = CertificateWatch()
        _ = watch.looked(at: "/c", begin: 0, expiry: 1, "1970", host: "h", now: 2)
        try file.write(watch)
        #expect(file.read() == watch)
        try Files.write(Array("{".utf8), folder("certificates.json"))
        #expect(file.read() == nil)
    }
}
