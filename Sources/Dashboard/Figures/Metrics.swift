package import Deployment
package import Supervisor
internal import Transport

/// Figures in the text format of Prometheus.
///
/// Source: "Exposition formats", prometheus.io: `text/plain; version=0.0.4`. A state is one gauge
/// for each of its values, as in node_exporter's `systemd_unit_state`.
package struct Metrics: Sendable {
    /// The type of the content.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The values of an instance's `status`.
    package static let statuses = [
        "idle", "starting", "running", "unresponsive", "stopping", "backoff", "failed",
    ]

    private var text = ""

    /// The figures of a status.
    package static func text(
        _ report: StatusReport, nodes: [InstanceName: NodeFigures] = [:], own: OwnFigures? = nil
    ) -> String {
        var metrics = Metrics()
        metrics.family(
            "deployex_build_info", "gauge", "The version that runs; the value is 1.",
            [Sample(["version": report.version ?? ""], 1)])
        metrics.family(
            "deployex_uptime_seconds", "gauge", "How long deployex has run.",
            [Sample([:], Double(report.uptimeSeconds ?? 0))])
        let applications = report.applications
        metrics.family(
            "deployex_ghosted_versions", "gauge", "Versions that are not deployed again.",
            applications.map {
                Sample(["app": $0.name ?? ""], Double($0.ghosted.count))
            })
        metrics.family(
            "deployex_deployment_held", "gauge",
            "1 while the deployment of the target version does not go on.",
            applications.map { Sample(["app": $0.name ?? ""], $0.problem == nil ? 0 : 1) })
        metrics.instances(applications)
        metrics.thresholds(applications)
        metrics.nodes(nodes)
        if let own { metrics.own(own) }
        return metrics.text
    }

    /// One line.
    struct Sample: Sendable {
        var labels: [(name: String, value: String)]
        var value: Double

        init(_ labels: KeyValuePairs<String, String>, _ value: Double) {
            self.labels = labels.map { (name: $0.key, value: $0.value) }
            self.value = value
        }
    }

    private mutating func instances(_ applications: [StatusReport.Application]) {
        func samples(
            _ value: (StatusReport.Instance) -> Double?
        ) -> [Sample] {
            applications.flatMap { application in
                application.instances.compactMap { instance in
                    value(instance).map {
                        Sample(
                            [
                                "app": application.name ?? "",
                                "instance": "\(instance.number ?? 0)",
                            ], $0)
                    }
                }
            }
        }
        family(
            "deployex_instance_status", "gauge", "1 for the status that the instance has.",
            applications.flatMap { application in
                application.instances.flatMap { instance in
                    Self.statuses.map { status in
                        Sample(
                            [
                                "app": application.name ?? "",
                                "instance": "\(instance.number ?? 0)", "status": status,
                            ], instance.status == status ? 1 : 0)
                    }
                }
            })
        family(
            "deployex_instance_connected", "gauge",
            "1 while the instance's node is connected over the Erlang distribution.",
            samples { $0.isConnected ? 1 : 0 })
        family(
            "deployex_instance_uptime_seconds", "gauge", "How long the instance's process has run.",
            samples { $0.uptimeSeconds.map(Double.init) })
        family(
            "deployex_instance_crash_restarts_total", "counter",
            "Restarts after a crash, since the last deployment.",
            samples { $0.crashRestarts.map(Double.init) })
        family(
            "deployex_instance_forced_restarts_total", "counter",
            "Restarts of an instance that did not answer, since the last deployment.",
            samples { $0.forcedRestarts.map(Double.init) })
    }

    /// HELP and TYPE once, and then all samples of the family.
    mutating func family(
        _ name: String, _ type: String, _ help: String, _ samples: [Sample]
    ) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for sample in samples {
            text += name
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(Self.number(sample.value))\n"
        }
    }

    /// A histogram: each bucket counts all that took no longer than its bound.
    mutating func histogram(_ name: String, _ help: String, _ times: TurnTimes) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        var sum: UInt64 = 0
        for (index, count) in times.counts.enumerated() {
            sum += count
            let bound =
                index < TurnTimes.bounds.count
                ? Self.number(TurnTimes.bounds[index].inSeconds) : "+Inf"
            text += "\(name)_bucket{le=\"\(bound)\"} \(sum)\n"
        }
        text += "\(name)_sum \(Self.number(times.sum.inSeconds))\n\(name)_count \(sum)\n"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}
