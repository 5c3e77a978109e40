internal import ExternalTermFormat

/// The answer of `deployex:status()` for people. What the answer lacks is shown as `-`: the node may
/// be of another version.
struct StatusTable {
    let lines: [StyledLine]

    init(_ status: Term, usesColours: Bool = false) {
        var lines = [
            StyledLine(
                "\(Self.text(status, "node"))  deployex \(Self.text(status, "version"))"
                    + "  up \(Self.duration(status, "uptime_seconds"))"
                    + "  mTLS \(status["tls"] == .atom(.true) ? "on" : "off")")
        ]
        for application in status["apps"]?.asList ?? [] {
            lines += ["", StyledLine(Self.heading(application))]
            if let problem = application["problem"]?.asText {
                lines.append(StyledLine("problem: \(problem)"))
            }
            var table = Table(header: [
                "INSTANCE", "STATUS", "VERSION", "PREVIOUS", "LAST DEPLOYMENT", "OTP", "PID",
                "PORT", "UPTIME", "CRASHES", "FORCED",
            ])
            for instance in application["instances"]?.asList ?? [] {
                var row = Self.row(instance)
                if !usesColours { row[1].colour = nil }
                table.append(row)
            }
            lines += table.lines
        }
        self.lines = lines
    }

    /// "counter  target version 0.1.0 (pinned)  ghosted 0.1.1"
    private static func heading(_ application: Term) -> String {
        var text =
            "\(text(application, "name"))  target version "
            + self.text(application, "target_version")
        if application["pinned_version"]?.asText != nil { text += " (pinned)" }
        let ghosted = (application["ghosted"]?.asList ?? []).map { self.text($0, "version") }
        if !ghosted.isEmpty { text += "  ghosted \(ghosted.joined(separator: ", "))" }
        return text
    }

    private static func row(_ instance: Term) -> [Table.Cell] {
        let cells = [
            text(instance, "version"), text(instance, "previous_version"),
            text(instance, "last_deployment"), text(instance, "otp"), text(instance, "os_pid"),
            text(instance, "port"), duration(instance, "uptime_seconds"),
            text(instance, "crash_restarts"), text(instance, "forced_restarts"),
        ]
        return [Table.Cell(text(instance, "instance")), status(instance)]
            + cells.map { Table.Cell($0) }
    }

    private static func status(_ instance: Term) -> Table.Cell {
        let status = text(instance, "status")
        if instance["stopped_by_operator"]?.asBool == true, status == "idle" {
            return Table.Cell("idle (stopped)", .yellow)
        }
        if instance["responding"]?.asBool == false, status == "running" {
            return Table.Cell("running (not responding)", .red)
        }
        let colour: Colour? =
            switch status {
            case "running": .green
            case "starting", "stopping": .yellow
            case "backoff", "failed": .red
            default: nil
            }
        return Table.Cell(status, colour)
    }

    private static func text(_ map: Term, _ key: Atom) -> String {
        guard let value = map[key], value != .atom("null") else { return "-" }
        return value.asText ?? value.description
    }

    /// "42s", "5m 3s", "2h 5m", "3d 4h"
    private static func duration(_ map: Term, _ key: Atom) -> String {
        guard let seconds = map[key]?.asInteger, seconds >= 0 else { return "-" }
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3_600: "\(seconds / 60)m \(seconds % 60)s"
        case ..<86_400: "\(seconds / 3_600)h \(seconds / 60 % 60)m"
        default: "\(seconds / 86_400)d \(seconds / 3_600 % 24)h"
        }
    }
}
