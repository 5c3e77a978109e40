package import ExternalTermFormat

/// How much of this host is in use, between two looks at `/proc`.
package struct HostFigures: Equatable, Sendable {
    /// When this was so, in seconds since 1970.
    package var seconds: Int
    /// Processes that run or wait to: averages over 1, 5 and 15 minutes.
    package var load: [Double]
    /// Of all processors together, 100 at most; `nil` after the first look.
    package var processorPercent: Double?
    package var memory: HostMemory
    package var disk: HostDisk?
    package var uptimeSeconds: Int?
    /// What deployex itself has in memory.
    package var ownByteCount: Int?
}

/// The memory of this host. Source: proc_meminfo(5).
package struct HostMemory: Equatable, Sendable {
    package var totalByteCount: Int
    /// What programs could still get without swapping.
    package var availableByteCount: Int

    package init(totalByteCount: Int, availableByteCount: Int) {
        self.totalByteCount = totalByteCount
        self.availableByteCount = availableByteCount
    }

    /// Reads `/proc/meminfo`; `nil` if it does not tell. Kernels before 3.14 do not say what is
    /// available: that is taken for what is free or can be given up.
    package init?(parsing text: some StringProtocol) {
        var kibibytes: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split { $0 == " " || $0 == ":" }
            guard words.count >= 2, let count = Int(words[1]), count >= 0, count < 1 << 50
            else { continue }
            kibibytes[Substring(words[0])] = count
        }
        guard let total = kibibytes["MemTotal"], total > 0 else { return nil }
        let free = ["MemFree", "Buffers", "Cached"].reduce(0) { $0 + (kibibytes[$1] ?? 0) }
        self.init(
            totalByteCount: total << 10,
            availableByteCount: min(kibibytes["MemAvailable"] ?? free, total) << 10)
    }

    package var usedPercent: Double {
        Double(totalByteCount - availableByteCount) / Double(totalByteCount) * 100
    }
}

/// The file system that a folder is in.
package struct HostDisk: Equatable, Sendable {
    package var path: String
    package var totalByteCount: Int
    /// What users without rights may still write.
    package var availableByteCount: Int
}

/// The time that all processors together have spent, in ticks since the host has booted.
///
/// Source: proc_stat(5). The time of guests is part of `user` and `nice` already.
package struct ProcessorTimes: Equatable, Sendable {
    package var busy: UInt64
    package var idle: UInt64

    /// Reads the first line of `/proc/stat`; `nil` if it is malformed.
    package init?(parsing text: some StringProtocol) {
        guard let line = text.split(separator: "\n").first, line.hasPrefix("cpu ") else {
            return nil
        }
        // user nice system idle iowait irq softirq steal; the oldest kernels have the first four.
        let words = line.split(separator: " ").dropFirst().prefix(8)
        let ticks = words.compactMap { UInt64($0) }
        guard ticks.count == words.count, ticks.count >= 4 else { return nil }
        idle = ticks[3] &+ (ticks.count > 4 ? ticks[4] : 0)
        busy = ticks.reduce(0, &+) &- idle
    }

    /// - Returns: `nil` if no time has passed. Waiting for disks may count backwards.
    package func busyPercent(since earlier: ProcessorTimes) -> Double? {
        guard busy >= earlier.busy else { return nil }
        let busy = Double(busy - earlier.busy)
        let idle = idle >= earlier.idle ? Double(idle - earlier.idle) : 0
        guard busy + idle > 0 else { return nil }
        return (busy / (busy + idle) * 1000).rounded() / 10
    }
}

/// One look at this host.
package struct HostLook: Equatable, Sendable {
    package var seconds: Int
    package var times: ProcessorTimes?
    package var load: [Double]
    package var memory: HostMemory?
    package var disk: HostDisk?
    package var uptimeSeconds: Int?
    package var ownByteCount: Int?
}

extension HostLook {
    /// `/proc/loadavg`: "0.20 0.18 0.12 1/80 11206". Source: proc_loadavg(5).
    package static func load(parsing text: some StringProtocol) -> [Double] {
        let averages = text.split(separator: " ").prefix(3).compactMap { Double($0) }
        return averages.count == 3 && averages.allSatisfy(\.isFinite) ? averages : []
    }

    /// `/proc/uptime`: "350735.47 234388.90". Source: proc_uptime(5).
    package static func uptime(parsing text: some StringProtocol) -> Int? {
        text.split(separator: " ").first.flatMap { Double($0) }.flatMap {
            Int(exactly: $0.rounded())
        }
    }

    /// The resident memory in `/proc/self/statm`. Source: proc_pid_statm(5).
    package static func resident(parsing text: some StringProtocol, pageByteCount: Int) -> Int? {
        let words = text.split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { return nil }
        let (count, overflow) = pages.multipliedReportingOverflow(by: pageByteCount)
        return overflow ? nil : count
    }

    /// What happened since an earlier look, if there was one.
    package func figures(since earlier: HostLook?) -> HostFigures? {
        guard let memory else { return nil }
        var percent: Double?
        if let times, let before = earlier?.times { percent = times.busyPercent(since: before) }
        return HostFigures(
            seconds: seconds, load: load, processorPercent: percent, memory: memory, disk: disk,
            uptimeSeconds: uptimeSeconds, ownByteCount: ownByteCount)
    }
}

/// The answer to `GET /api/v1/host`.
package struct HostReport: Equatable, Sendable {
    package var name: String
    package var system: String
    package var processorCount: Int
    /// `nil` where `/proc` does not tell.
    package var figures: HostFigures?
    package var deployex: Deployex

    package struct Deployex: Equatable, Sendable {
        package var version: String
        package var node: String
        package var usesTLS: Bool
        package var uptimeSeconds: Int
        package var pid: Int

        package init(version: String, node: String, usesTLS: Bool, uptimeSeconds: Int, pid: Int) {
            self.version = version
            self.node = node
            self.usesTLS = usesTLS
            self.uptimeSeconds = uptimeSeconds
            self.pid = pid
        }
    }

    package init(
        name: String, system: String, processorCount: Int, figures: HostFigures?, deployex: Deployex
    ) {
        self.name = name
        self.system = system
        self.processorCount = processorCount
        self.figures = figures
        self.deployex = deployex
    }
}

extension HostReport {
    package var term: Term {
        var object = TermObject()
        object.add("name", name)
        object.add("os", system)
        object.add("cpus", processorCount)
        object.add("load", figures?.load ?? [])
        object.add("cpu_percent", figures?.processorPercent)
        object.add("memory", figures?.memory.term)
        object.add("disk", figures?.disk?.term)
        object.add("uptime_seconds", figures?.uptimeSeconds)
        object.add("at", figures?.seconds)
        var own = TermObject()
        own.add("version", deployex.version)
        own.add("node", deployex.node)
        own.add("tls", deployex.usesTLS)
        own.add("uptime_seconds", deployex.uptimeSeconds)
        own.add("memory_bytes", figures?.ownByteCount)
        own.add("pid", deployex.pid)
        object.add("deployex", own.term)
        return object.term
    }
}

extension HostMemory {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("total_bytes", totalByteCount)
        object.add("available_bytes", availableByteCount)
        return object.term
    }
}

extension HostDisk {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("path", path)
        object.add("total_bytes", totalByteCount)
        object.add("available_bytes", availableByteCount)
        return object.term
    }
}
