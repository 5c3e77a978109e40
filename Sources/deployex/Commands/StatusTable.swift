internal import Deployment

/// The answer of `deployex:status()` for people. Missing values are shown as `-`: the node may be
/// of another version.
struct StatusTable {
    let lines: [StyledLine]

    /// - Parameters:
    ///   - withUsage: whether processor and memory are shown.
    ///   - columns: how many columns a line may fill; `nil` for any number.
    init(
        _ status: StatusReport, usesColours: Bool = false, withUsage: Bool = false,
        within columns: Int? = nil
    ) {
        var lines: [StyledLine] = []
        func add(_ text: String) {
            lines += TextColumns.fold(StyledLine(text).text, to: columns).map { StyledLine($0) }
        }
        add(
            "\(Self.text(status.node))  deployex \(Self.text(status.version))"
                + "  up \(Self.duration(status.uptimeSeconds))"
                + "  mTLS \(status.usesTLS == true ? "on" : "off")")
        for application in status.applications {
            lines.append("")
            add(Self.heading(application))
            if !application.listening.isEmpty { add(Self.text(application.listening)) }
            if let problem = application.problem { add("problem: \(problem)") }
            if let rollout = application.rollout { add(Self.text(rollout)) }
            let usage = withUsage ? ["CPU", "MEMORY"] : []
            var table = Table(
                header: Self.header + usage, expendable: Self.expendable + usage.reversed())
            for instance in application.instances {
                var row = Self.row(instance)
                // A line below says why.
                if !instance.deletedLibraries.isEmpty { row[1].text += "*" }
                if withUsage { row += Self.usage(instance) }
                if !usesColours { row[1].colour = nil }
                table.append(row)
            }
            lines += table.lines(within: columns)
            for instance in application.instances {
                if let reason = instance.reason {
                    add("instance \(Self.text(instance.number)): \(reason)")
                }
                let deleted = instance.deletedLibraries
                if !deleted.isEmpty {
                    add(
                        "instance \(Self.text(instance.number))*: \(deleted.joined(separator: ", ")) "
                            + "replaced or removed since its start; a restart takes the newer ones")
                }
            }
        }
        self.lines = lines
    }

    private static let header = [
        "INSTANCE", "STATUS", "VERSION", "PREVIOUS", "DEPLOYED", "OTP", "PID", "PORT", "UPTIME",
        "CRASHES", "FORCED",
    ]
    /// On 80 columns the first two are left out, on 40 all.
    private static let expendable = [
        "PREVIOUS", "DEPLOYED", "FORCED", "OTP", "PORT", "CRASHES", "PID", "UPTIME", "VERSION",
    ]

    /// "counter  target version 0.1.0 (pinned)  ghosted 0.1.1"
    private static func heading(_ application: StatusReport.Application) -> String {
        var text = "\(text(application.name))  target version \(text(application.targetVersion))"
        if application.pinnedVersion != nil { text += " (pinned)" }
        let ghosted = application.ghosted.map { self.text($0.version) }
        if !ghosted.isEmpty { text += "  ghosted \(ghosted.joined(separator: ", "))" }
        return text
    }

    /// "listening: http at 0.0.0.0:4000, admin at 127.0.0.1:4100 (each instance its own, from this port on)"
    private static func text(_ listening: [StatusReport.Listener]) -> String {
        let texts = listening.map { listener in
            let own = listener.mode == "own" ? " (each instance its own, from this port on)" : ""
            return "\(text(listener.name)) at \(text(listener.address))\(own)"
        }
        return "listening: \(texts.joined(separator: ", "))"
    }

    /// "rollout: instance 1 to 0.1.1, staging for 3s, 0 of 3 instances staged, 35.0 MiB of 120.0 MiB
    /// fetched"
    private static func text(_ rollout: StatusReport.Rollout) -> String {
        var line = "rollout: instance \(text(rollout.instance)) to \(text(rollout.version))"
        if let phase = rollout.phase {
            line += ", \(phase.replacing("_", with: " ")) for \(duration(rollout.seconds))"
        }
        if let staged = rollout.stagedCount, let count = rollout.neededCount {
            line += ", \(staged) of \(count) instances staged"
        }
        if let fetched = rollout.fetchedByteCount {
            let total = rollout.packageByteCount.map { " of \(memory($0))" } ?? ""
            line += ", \(memory(fetched))\(total) fetched"
        }
        return line
    }

    private static func row(_ instance: StatusReport.Instance) -> [Table.Cell] {
        let cells = [
            text(instance.version), text(instance.previousVersion), deployed(instance),
            connection(instance), text(instance.pid), text(instance.port),
            duration(instance.uptimeSeconds), text(instance.crashRestarts),
            text(instance.forcedRestarts),
        ]
        return [Table.Cell(text(instance.number)), status(instance)] + cells.map { Table.Cell($0) }
    }

    private static func status(_ instance: StatusReport.Instance) -> Table.Cell {
        switch instance.status {
        case "idle" where instance.isStoppedByOperator == true: Table.Cell("stopped", .yellow)
        case "running": Table.Cell("running", .green)
        case "starting"?, "stopping"?: Table.Cell(text(instance.status), .yellow)
        case "backoff"?, "failed"?, "unresponsive"?: Table.Cell(text(instance.status), .red)
        default: Table.Cell(text(instance.status))
        }
    }

    private static func usage(_ instance: StatusReport.Instance) -> [Table.Cell] {
        let processor = instance.processorPercent.map { "\($0)%" }
        return [Table.Cell(processor ?? "-"), Table.Cell(memory(instance.memoryByteCount))]
    }

    /// "85.3 MiB", "1.2 GiB"
    static func memory(_ byteCount: Int?) -> String {
        guard let byteCount, byteCount >= 0 else { return "-" }
        let (shift, unit) = byteCount < 1 << 30 ? (20, "MiB") : (30, "GiB")
        // Whoever sent it may have sent any number, so it is made small before it is multiplied.
        let tenths = (byteCount % (1 << shift) * 10) >> shift
        return "\(byteCount >> shift).\(tenths) \(unit)"
    }

    /// How its version came: "full" or "hot".
    private static func deployed(_ instance: StatusReport.Instance) -> String {
        switch instance.lastDeployment {
        case "full_deployment": "full"
        case "hot_upgrade": "hot"
        default: text(instance.lastDeployment)
        }
    }

    /// Whether its node is connected: "up", "down", or "off" for a release without distribution.
    private static func connection(_ instance: StatusReport.Instance) -> String {
        switch instance.otp {
        case "connected": "up"
        case "not_connected": "down"
        default: text(instance.otp)
        }
    }

    private static func text(_ value: (some CustomStringConvertible)?) -> String {
        value?.description ?? "-"
    }

    /// "42s", "5m 3s", "2h 5m", "3d 4h"
    static func duration(_ seconds: Int?) -> String {
        guard let seconds, seconds >= 0 else { return "-" }
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3_600: "\(seconds / 60)m \(seconds % 60)s"
        case ..<86_400: "\(seconds / 3_600)h \(seconds / 60 % 60)m"
        default: "\(seconds / 86_400)d \(seconds / 3_600 % 24)h"
        }
    }
}
