internal import Glibc
internal import Supervisor

extension HostLook {
    /// Looks at this host. It blocks for less than a millisecond, unless `path` is on a file system
    /// that does not answer.
    /// - Parameter path: the folder whose file system is looked at.
    package static func ofHost(disk path: String) -> HostLook {
        HostLook(
            seconds: time(nil), times: ProcessorTimes(parsing: text("/proc/stat")),
            load: load(parsing: text("/proc/loadavg")),
            memory: HostMemory(parsing: text("/proc/meminfo")), disk: HostDisk(of: path),
            uptimeSeconds: uptime(parsing: text("/proc/uptime")),
            ownByteCount: resident(
                parsing: text("/proc/self/statm"), pageByteCount: sysconf(Int32(_SC_PAGESIZE))))
    }

    private static func text(_ path: String) -> String {
        String(decoding: ProcFile.read(path) ?? [], as: UTF8.self)
    }
}

extension HostDisk {
    /// `nil` when the folder is gone or cannot be reached.
    init?(of path: String) {
        var found = statvfs()
        guard statvfs(path, &found) == 0 else { return nil }
        let size = UInt64(found.f_frsize)
        func bytes(_ blocks: fsblkcnt_t) -> Int {
            let (count, overflow) = UInt64(blocks).multipliedReportingOverflow(by: size)
            return overflow ? .max : Int(clamping: count)
        }
        self.init(
            path: path, totalByteCount: bytes(found.f_blocks),
            availableByteCount: bytes(found.f_bavail))
    }
}

extension HostReport {
    /// The system's name for people, as "Debian GNU/Linux 12 (bookworm), Linux 6.1.0".
    package static func ofSystem() -> String {
        let lines = String(decoding: ProcFile.read("/etc/os-release") ?? [], as: UTF8.self)
            .split(separator: "\n")
        let key = "PRETTY_NAME="
        let name = lines.first { $0.hasPrefix(key) }?.dropFirst(key.count)
        let kernel = String(
            decoding: ProcFile.read("/proc/sys/kernel/osrelease") ?? [], as: UTF8.self)
        let linux = "Linux \(kernel.filter { !$0.isWhitespace })"
        guard let name else { return linux }
        return "\(name.filter { $0 != "\"" }), \(linux)"
    }

    /// How many processors are online.
    package static func processorsOfSystem() -> Int { max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) }
}
