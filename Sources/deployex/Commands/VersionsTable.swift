internal import Deployment

/// The answer of `deployex:versions()` for people. Missing values are shown as `-`.
struct VersionsTable {
    let lines: [StyledLine]

    init(_ versions: VersionsReport) {
        var lines: [StyledLine] = []
        for application in versions.applications {
            if !lines.isEmpty { lines.append("") }
            let pinned = application.pinnedVersion == nil ? "" : "  (pinned)"
            lines.append(
                StyledLine(
                    "\(Self.text(application.name))  target version "
                        + Self.text(application.targetVersion) + pinned))
            for release in application.ghosted {
                lines.append(
                    StyledLine(
                        "ghosted \(Self.text(release.version)) (\(Self.text(release.hash))) at "
                            + "\(Self.text(release.at)): \(Self.text(release.reason))"))
                lines += release.logLines.map { StyledLine("    \($0)") }
            }
            lines += Self.history(application.history)
        }
        self.lines = lines
    }

    /// The newest first.
    private static func history(_ outcomes: [VersionsReport.Outcome]) -> [StyledLine] {
        guard !outcomes.isEmpty else { return ["nothing has been deployed yet"] }
        var table = Table(header: [
            "WHEN", "INSTANCE", "VERSION", "HASH", "KIND", "OUTCOME", "TOOK", "REASON",
        ])
        for outcome in outcomes.reversed() {
            table.append([
                text(outcome.at), outcome.instance?.description ?? "-", text(outcome.version),
                text(outcome.hash), text(outcome.kind), text(outcome.outcome),
                outcome.durationSeconds.map { "\($0) s" } ?? "-", text(outcome.reason),
            ])
        }
        return table.lines
    }

    private static func text(_ value: String?) -> String {
        value.flatMap { $0.isEmpty ? nil : $0 } ?? "-"
    }
}
