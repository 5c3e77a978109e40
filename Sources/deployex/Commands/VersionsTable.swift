internal import Deployment

/// The answer of `deployex:versions()` for people. Missing values are shown as `-`.
struct VersionsTable {
    let lines: [StyledLine]

    /// - Parameter columns: how many columns a line may fill; `nil` for any number.
    init(_ versions: VersionsReport, within columns: Int? = nil) {
        var lines: [StyledLine] = []
        func add(_ text: String, indent: Int = 2) {
            lines += TextColumns.fold(StyledLine(text).text, to: columns, indent: indent)
                .map { StyledLine($0) }
        }
        for application in versions.applications {
            if !lines.isEmpty { lines.append("") }
            let pinned = application.pinnedVersion == nil ? "" : "  (pinned)"
            add(
                "\(Self.text(application.name))  target version "
                    + Self.text(application.targetVersion) + pinned)
            for release in application.ghosted {
                add(
                    "ghosted \(Self.text(release.version)) (\(Self.text(release.hash))) at "
                        + "\(Self.text(release.at)): \(Self.text(release.reason))")
                for line in release.logLines { add("    \(line)", indent: 4) }
            }
            lines += Self.history(application.history, within: columns)
        }
        self.lines = lines
    }

    /// The newest first, each with its reason below it.
    static func history(
        _ outcomes: [VersionsReport.Outcome], within columns: Int?
    ) -> [StyledLine] {
        guard !outcomes.isEmpty else { return ["nothing has been deployed yet"] }
        var table = Table(
            header: ["WHEN", "INSTANCE", "VERSION", "HASH", "KIND", "OUTCOME", "TOOK"],
            expendable: ["HASH", "KIND", "TOOK", "INSTANCE"])
        for outcome in outcomes.reversed() {
            let cells = [
                text(outcome.at), outcome.instance?.description ?? "-", text(outcome.version),
                text(outcome.hash), text(outcome.kind), text(outcome.outcome),
                outcome.durationSeconds.map { "\($0) s" } ?? "-",
            ]
            table.append(
                cells.map { Table.Cell($0) },
                note: outcome.reason.flatMap { $0.isEmpty ? nil : $0 })
        }
        return table.lines(within: columns)
    }

    private static func text(_ value: String?) -> String {
        value.flatMap { $0.isEmpty ? nil : $0 } ?? "-"
    }
}
