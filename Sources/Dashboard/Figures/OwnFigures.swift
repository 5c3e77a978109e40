internal import Deployment
internal import Glibc
internal import Supervisor
package import Transport

/// What deployex's own process takes, and how its event loop does.
package struct OwnFigures: Equatable, Sendable {
    package var process: ProcessUse?
    package var turns: TurnTimes
    package var logins: LoginCounts

    package init(process: ProcessUse?, turns: TurnTimes, logins: LoginCounts) {
        self.process = process
        self.turns = turns
        self.logins = logins
    }
}

/// A process's figures under the names that every Prometheus library gives them.
///
/// Source: "Process metrics" in "Writing client libraries", prometheus.io.
package struct ProcessUse: Equatable, Sendable {
    package var processorSeconds: Double
    package var residentByteCount: Int
    package var openDescriptorCount: Int
    package var maximumDescriptorCount: Int

    package init(
        processorSeconds: Double, residentByteCount: Int, openDescriptorCount: Int,
        maximumDescriptorCount: Int
    ) {
        self.processorSeconds = processorSeconds
        self.residentByteCount = residentByteCount
        self.openDescriptorCount = openDescriptorCount
        self.maximumDescriptorCount = maximumDescriptorCount
    }

    /// Of this process, now; `nil` where `/proc` does not tell. It blocks shortly.
    static func own() -> ProcessUse? {
        var used = rusage()
        var limit = rlimit()
        let statm = String(decoding: ProcFile.read("/proc/self/statm") ?? [], as: UTF8.self)
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used) == 0,
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            let resident = HostLook.resident(
                parsing: statm, pageByteCount: sysconf(Int32(_SC_PAGESIZE))),
            let folder = opendir("/proc/self/fd")
        else { return nil }
        defer { closedir(folder) }
        // Without ".", ".." and the folder's own.
        var count = -3
        while readdir(folder) != nil { count += 1 }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ProcessUse(
            processorSeconds: seconds(used.ru_utime) + seconds(used.ru_stime),
            residentByteCount: resident, openDescriptorCount: count,
            maximumDescriptorCount: Int(clamping: limit.rlim_cur))
    }
}

extension Metrics {
    mutating func own(_ figures: OwnFigures) {
        if let process = figures.process {
            family(
                "process_cpu_seconds_total", "counter",
                "The processor time that deployex has used, in user and system mode.",
                [Sample([:], process.processorSeconds)])
            family(
                "process_resident_memory_bytes", "gauge", "The memory that deployex has resident.",
                [Sample([:], Double(process.residentByteCount))])
            family(
                "process_open_fds", "gauge", "The descriptors that deployex has open.",
                [Sample([:], Double(process.openDescriptorCount))])
            family(
                "process_max_fds", "gauge", "The descriptors that deployex may have open.",
                [Sample([:], Double(process.maximumDescriptorCount))])
        }
        histogram(
            "deployex_event_loop_turn_seconds",
            "How long the turns of deployex's event loop took: everything waits for its turn.",
            figures.turns)
        family(
            "deployex_logins_total", "counter",
            "Logins to the dashboard since deployex has started.",
            [Sample([:], Double(figures.logins.successes))])
        family(
            "deployex_failed_logins_total", "counter",
            "Wrong passwords, links and tokens since deployex has started.",
            [Sample([:], Double(figures.logins.failures))])
    }
}
