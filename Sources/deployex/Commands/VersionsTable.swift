internal import ExternalTermFormat

/// The answer of `deployex:versions()` for people. What the answer lacks is shown as `-`.
struct VersionsTable {
    let lines: [StyledLine]

    init(_ versions: Term) {
        var lines: [StyledLine] = []
        for application in versions["apps"]?.asList ?? [] {
            if !lines.isEmpty { lines.append("") }
            let pinned = application["pinned_version"]?.asText == nil ? "" : "  (pinned)"
            lines.append(
                StyledLine(
                    "\(Self.text(application, "name"))  target version "
                        + Self.text(application, "target_version") + pinned))
            for release in application["ghosted"]?.asList ?? [] {
                lines += Self.ghosted(release)
            }
            lines += Self.history(application["history"]?.asList ?? [])
        }
        self.lines = lines
    }

    private static func ghosted(_ release: Term) -> [StyledLine] {
        let logged = (release["log_lines"]?.asList ?? []).compactMap(\.asText)
        return [
            StyledLine(
                "ghosted \(text(release, "version")) (\(text(release, "hash"))) at "
                    + "\(text(release, "at")): \(text(release, "reason"))")
        ] + logged.map { StyledLine("    \($0)") }
    }

    /// The newest first.
    private static func history(_ outcomes: [Term]) -> [StyledLine] {
        guard !outcomes.isEmpty else { return ["nothing has been deployed yet"] }
        var table = Table(header: [
            "WHEN", "INSTANCE", "VERSION", "HASH", "KIND", "OUTCOME", "TOOK", "REASON",
        ])
        for outcome in outcomes.reversed() {
            table.append([
                text(outcome, "at"), text(outcome, "instance"), text(outcome, "version"),
                text(outcome, "hash"), text(outcome, "kind"), text(outcome, "outcome"),
                outcome["duration_seconds"]?.asFloat.map { "\($0) s" } ?? "-",
                text(outcome, "reason"),
            ])
        }
        return table.lines
    }

    private static func text(_ map: Term, _ key: Atom) -> String {
        guard let value = map[key], value != .atom("null") else { return "-" }
        let text = value.asText ?? value.description
        return text.isEmpty ? "-" : text
    }
}
