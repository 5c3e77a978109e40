package import ExternalTermFormat
internal import FoundationEssentials
internal import Supervisor

/// The answer to `deployex:versions()`, in the shape that `deployex versions --json` prints: which
/// version each application is to run, which ones are not deployed again, and what was deployed.
package struct VersionsReport {
    package var node: String
    package var applications: [ApplicationSnapshot]

    package init(node: String, applications: [ApplicationSnapshot]) {
        self.node = node
        self.applications = applications
    }

    package var term: Term {
        .object([
            ("node", .binary(node)),
            ("apps", .list(applications.map(Self.term(of:)))),
        ])
    }

    private static func term(of application: ApplicationSnapshot) -> Term {
        .object([
            ("name", .binary(application.application)),
            ("target_version", .orNull(application.targetVersion)),
            ("pinned_version", .orNull(application.pinnedVersion)),
            ("ghosted", .list(application.ghosted.map(term(of:)))),
            // The newest last, as they happened.
            ("history", .list(application.history.map(term(of:)))),
        ])
    }

    private static func term(of release: GhostedRelease) -> Term {
        .object([
            ("version", .binary(release.version)),
            ("hash", .binary(release.hash)),
            ("reason", .binary(release.reason)),
            ("log_lines", .list(release.logLines.map { .binary($0) })),
            ("at", .binary(text(unixSeconds: release.at))),
        ])
    }

    private static func term(of outcome: DeploymentOutcome) -> Term {
        .object([
            ("version", .binary(outcome.version)),
            ("hash", .binary(outcome.hash)),
            ("kind", .binary(outcome.kind.rawValue)),
            ("instance", .integer(outcome.instance.value)),
            ("outcome", .binary(outcome.outcome.rawValue)),
            ("at", .binary(text(unixSeconds: outcome.at))),
            ("duration_seconds", .float(tenths(outcome.milliseconds))),
            ("reason", .orNull(outcome.reason)),
        ])
    }

    /// "2026-11-26T15:42:12Z"
    private static func text(unixSeconds: Int64) -> String {
        // A record may hold any number; ISO 8601 has years of four digits.
        let seconds = min(max(unixSeconds, 0), 253_402_300_799)
        return Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }

    private static func tenths(_ milliseconds: Int64) -> Double {
        (Double(milliseconds) / 100).rounded() / 10
    }
}
