internal import Deployment
internal import Supervisor

/// Figures of the instances' nodes, under the names that prometheus.erl gives them, so that boards
/// for BEAMs show them. Where those names end in `_total` without counting, ours do, too.
///
/// Source: prometheus.erl, `prometheus_vm_memory_collector`, `…_statistics_collector`,
/// `…_system_info_collector`.
extension Metrics {
    mutating func nodes(_ nodes: [InstanceName: NodeFigures]) {
        let sorted = nodes.sorted {
            ($0.key.app, $0.key.number.value) < ($1.key.app, $1.key.number.value)
        }
        func samples(
            _ values: (NodeSample) -> [(label: (name: String, value: String)?, value: Int)]
        ) -> [Sample] {
            sorted.flatMap { name, figures in
                values(figures.sample).map { value in
                    var sample = Sample(
                        ["app": name.app, "instance": "\(name.number)"], Double(value.value))
                    if let label = value.label { sample.labels.append(label) }
                    return sample
                }
            }
        }
        func plain(_ value: (NodeSample) -> Int) -> [Sample] {
            samples { [(nil, value($0))] }
        }
        family(
            "erlang_vm_memory_bytes_total", "gauge", "The memory that the node has allocated.",
            samples {
                [
                    (("kind", "system"), $0.memory.system),
                    (("kind", "processes"), $0.memory.processes),
                ]
            })
        family(
            "erlang_vm_memory_system_bytes_total", "gauge",
            "The memory that the node has allocated for other things than processes.",
            samples {
                let memory = $0.memory
                // The node may say anything.
                let known = [memory.atom, memory.binary, memory.code, memory.ets].reduce(0) {
                    let (sum, overflows) = $0.addingReportingOverflow($1)
                    return overflows ? .max : sum
                }
                return [
                    (("usage", "atom"), memory.atom), (("usage", "binary"), memory.binary),
                    (("usage", "code"), memory.code), (("usage", "ets"), memory.ets),
                    (("usage", "other"), max(memory.system - known, 0)),
                ]
            })
        for (what, use) in Self.limits {
            family(
                "erlang_vm_\(what)_count", "gauge", "How many the node has of them.",
                plain { use($0).count })
            family(
                "erlang_vm_\(what)_limit", "gauge", "How many the node can have of them.",
                plain { use($0).limit })
        }
        family(
            "erlang_vm_schedulers_online", "gauge", "How many schedulers are online.",
            plain { $0.schedulersOnline })
        family(
            "erlang_vm_statistics_run_queues_length", "gauge",
            "How many processes and ports are ready to run.", plain { $0.runQueue })
        family(
            "erlang_vm_statistics_reductions_total", "counter",
            "How many reductions the node has made.", plain { $0.reductions })
        family(
            "erlang_vm_statistics_runtime_milliseconds", "counter",
            "The processor time that the node has used.", plain { $0.runtimeMilliseconds })
        family(
            "erlang_vm_statistics_bytes_received_total", "counter",
            "How many bytes the node has received through ports.", plain { $0.inputByteCount })
        family(
            "erlang_vm_statistics_bytes_output_total", "counter",
            "How many bytes the node has put out through ports.", plain { $0.outputByteCount })
    }

    /// Where the instances stand against their thresholds.
    mutating func thresholds(_ applications: [StatusReport.Application]) {
        func samples(_ value: (ThresholdState) -> Double?) -> [Sample] {
            applications.flatMap { application in
                application.instances.flatMap { instance in
                    instance.thresholds.compactMap { threshold in
                        value(threshold).map {
                            Sample(
                                [
                                    "app": application.name ?? "",
                                    "instance": "\(instance.number ?? 0)",
                                    "threshold": threshold.name ?? "",
                                ], $0)
                        }
                    }
                }
            }
        }
        family(
            "deployex_threshold_percent", "gauge", "How much is used of the limit.",
            samples { $0.percent })
        family(
            "deployex_threshold_warnings_total", "counter",
            "How often the share that is a warning was reached.",
            samples { $0.warnings.map(Double.init) })
        family(
            "deployex_threshold_restarts_total", "counter",
            "How often the instance was restarted for it.", samples { $0.restarts.map(Double.init) }
        )
    }

    private static let limits: [(String, @Sendable (NodeSample) -> NodeSample.Use)] = [
        ("process", { $0.processes }), ("port", { $0.ports }), ("atom", { $0.atoms }),
    ]
}
