/// Where the control groups (version 2) of processes are.
enum ControlGroupPath {
    /// The path of a process's group below the root of our control group namespace; `nil` when the
    /// process is gone or the kernel has no such groups. Source: cgroups(7).
    static func ofProcess(_ pid: Int32) -> String? {
        ProcFile.read("/proc/\(pid)/cgroup").flatMap { parse($0) }
    }

    /// The path in the file's line of version 2, `0::/system.slice/deployex.service`.
    static func parse(_ bytes: [UInt8]) -> String? {
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "0::/".utf8) }
        return line.map { String(decoding: $0.dropFirst(3), as: UTF8.self) }
    }

    /// The folders of a group, one for each place where its hierarchy is mounted. Source:
    /// proc_pid_mountinfo(5).
    /// - Parameter mounts: `/proc/PID/mountinfo`.
    static func folders(of path: String, mounts: [UInt8]) -> [String] {
        mounts.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            // Optional fields come before the hyphen; after it comes the type.
            guard fields.count > 6, let hyphen = fields[6...].firstIndex(where: { $0 == [0x2D] }),
                hyphen + 1 < fields.endIndex, Array(fields[hyphen + 1]) == Array("cgroup2".utf8)
            else { return nil }
            let (root, point) = (unescaped(fields[3]), unescaped(fields[4]))
            let inside = root == "/" ? path : below(root, path)
            guard let inside else { return nil }
            return inside == "/" ? point : (point == "/" ? "" : point) + inside
        }
    }

    /// What is left of `path` below `root`; `nil` if it is elsewhere.
    private static func below(_ root: String, _ path: String) -> String? {
        if path == root { return "/" }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count)) : nil
    }

    /// A space, tab, line end and backslash are written as three octal digits after a backslash.
    private static func unescaped(_ bytes: some Collection<UInt8>) -> String {
        var plain: [UInt8] = []
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            let isEscape =
                byte == UInt8(ascii: "\\") && digits.count == 3
                && digits.allSatisfy { (0x30...0x37).contains($0) }
            let value = digits.reduce(0) { $0 * 8 + Int($1 & 7) }
            if isEscape, let escaped = UInt8(exactly: value) {
                plain.append(escaped)
                rest = rest.dropFirst(3)
            } else {
                plain.append(byte)
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }
}
