internal import Glibc

/// Identifies one process for ever: a pid alone is reused, but its start time in a given boot is
/// not.
///
/// As JSON: `{"pid":4711,"start_ticks":889123,"boot_id":"6a1c…"}`.
package struct ProcessIdentity: Hashable, Codable, Sendable, CustomStringConvertible {
    package var pid: Int32
    /// Clock ticks since the host booted: field 22 of `/proc/PID/stat`.
    package var startTicks: UInt64
    /// The boot in which the ticks count: `/proc/sys/kernel/random/boot_id`.
    package var bootID: String

    package init(pid: Int32, startTicks: UInt64, bootID: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.bootID = bootID
    }

    private enum CodingKeys: String, CodingKey {
        case pid
        case startTicks = "start_ticks"
        case bootID = "boot_id"
    }

    package var description: String { "process \(pid)" }

    /// The identity of the process that runs as `pid` now; `nil` if there is none, or only a
    /// zombie.
    package static func ofRunning(pid: Int32) -> ProcessIdentity? {
        guard let status = ProcessStatus.ofProcess(pid), !status.isZombie else { return nil }
        return ProcessIdentity(status)
    }

    /// Whether this very process still runs; a zombie does not.
    package var isRunning: Bool {
        Self.ofRunning(pid: pid) == self
    }

    /// How long ago the process started, to the clock tick (usually 10 ms). Suspended time counts.
    /// Only meaningful within the same boot.
    package var age: Duration {
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        let sinceBoot = Duration.seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
        let ticksPerSecond = max(sysconf(Int32(_SC_CLK_TCK)), 1)
        let seconds = startTicks / UInt64(ticksPerSecond)
        let rest = Int64(startTicks % UInt64(ticksPerSecond))
        let start =
            Duration.seconds(Int64(clamping: seconds))
            + .nanoseconds(rest * (1_000_000_000 / Int64(ticksPerSecond)))
        return max(sinceBoot - start, .zero)
    }

    /// The boot that the host runs in.
    package static let currentBootID: String = {
        let bytes = ProcFile.read("/proc/sys/kernel/random/boot_id") ?? []
        return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }()

    init(_ status: ProcessStatus) {
        self.init(
            pid: status.pid, startTicks: status.startTicks, bootID: Self.currentBootID)
    }
}
