internal import ExternalTermFormat
internal import FoundationEssentials
internal import Supervisor

/// The answer to `deployex:versions()`, in the shape that `deployex versions --json` prints: each
/// application's target version, the versions that are not deployed again, and the deployments so
/// far.
package struct VersionsReport: TermDocument {
    package var node: String?
    package var applications: [Application] = []

    package static let empty = VersionsReport()

    package static var fields: [TermField<VersionsReport>] {
        [TermField("node", \.node), TermField("apps", \.applications)]
    }

    package struct Application: TermDocument {
        package var name: String?
        package var targetVersion: String?
        package var pinnedVersion: String?
        package var ghosted: [Ghost] = []
        /// The outcomes in the order in which they happened, the newest last.
        package var history: [Outcome] = []

        package static let empty = Application()

        package static var fields: [TermField<Application>] {
            [
                TermField("name", \.name), TermField("target_version", \.targetVersion),
                TermField("pinned_version", \.pinnedVersion), TermField("ghosted", \.ghosted),
                TermField("history", \.history),
            ]
        }
    }

    package struct Ghost: TermDocument {
        package var version: String?
        package var hash: String?
        package var reason: String?
        /// The last lines that the failed instance printed.
        package var logLines: [String] = []
        package var at: String?

        package static let empty = Ghost()

        package static var fields: [TermField<Ghost>] {
            [
                TermField("version", \.version), TermField("hash", \.hash),
                TermField("reason", \.reason), TermField("log_lines", \.logLines),
                TermField("at", \.at),
            ]
        }
    }

    package struct Outcome: TermDocument {
        package var version: String?
        package var hash: String?
        package var kind: String?
        package var instance: Int?
        package var outcome: String?
        package var at: String?
        package var durationSeconds: Double?
        package var reason: String?
        /// Who asked for it; `null` when nobody has.
        package var askedBy: String?
        /// What the change consisted of.
        package var steps: [RolloutStep] = []

        package static let empty = Outcome()

        package static var fields: [TermField<Outcome>] {
            [
                TermField("version", \.version), TermField("hash", \.hash),
                TermField("kind", \.kind), TermField("instance", \.instance),
                TermField("outcome", \.outcome), TermField("at", \.at),
                TermField("duration_seconds", \.durationSeconds), TermField("reason", \.reason),
                TermField("asked_by", \.askedBy), TermField("steps", \.steps),
            ]
        }
    }
}

extension VersionsReport {
    package init(node: String, applications: [ApplicationSnapshot]) {
        self.init(
            node: node,
            applications: applications.map {
                Application(
                    name: $0.application, targetVersion: $0.targetVersion,
                    pinnedVersion: $0.pinnedVersion, ghosted: $0.ghosted.map(Ghost.init),
                    history: $0.history.map(Outcome.init))
            })
    }

    /// "2026-11-26T15:42:12Z"
    fileprivate static func text(unixSeconds: Int64) -> String {
        // A record may hold any number; ISO 8601 has years of four digits.
        let seconds = min(max(unixSeconds, 0), 253_402_300_799)
        return Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}

extension VersionsReport.Ghost {
    fileprivate init(_ release: GhostedRelease) {
        self.init(
            version: release.version, hash: release.hash, reason: release.reason,
            logLines: release.logLines, at: VersionsReport.text(unixSeconds: release.at))
    }
}

extension VersionsReport.Outcome {
    fileprivate init(_ change: DeploymentOutcome) {
        self.init(
            version: change.version, hash: change.hash, kind: change.kind.rawValue,
            instance: change.instance.value, outcome: change.outcome.rawValue,
            at: VersionsReport.text(unixSeconds: change.at),
            durationSeconds: (Double(change.milliseconds) / 100).rounded() / 10,
            reason: change.reason, askedBy: change.askedBy,
            steps: (change.steps ?? []).map {
                RolloutStep(phase: $0.phase, milliseconds: $0.milliseconds)
            })
    }
}
