/// The shared libraries that a process has loaded from files which have been replaced or removed
/// since: an update of the system reaches it only when it starts anew.
package enum DeletedLibraries {
    /// More are not named.
    package static let maximumCount = 20

    /// Their file names, sorted; empty if we may not look at the process. It blocks.
    /// - Parameter folder: what is in it does not count: it is the process's own release.
    package static func of(_ pid: Int32, exceptIn folder: String? = nil) -> [String] {
        // A BEAM has some hundred mappings of about 100 bytes.
        let bytes = ProcFile.read("/proc/\(pid)/maps", limit: 1 << 20) ?? []
        return names(in: String(decoding: bytes, as: UTF8.self), exceptIn: folder)
    }

    /// The names in a process's table of mappings.
    ///
    /// A line is `ADDRESSES PERMISSIONS OFFSET DEVICE INODE PATH`, and the kernel adds ` (deleted)`
    /// to the path of a file that has no name any more. Source: proc_pid_maps(5).
    static func names(in maps: String, exceptIn folder: String? = nil) -> [String] {
        let suffix = " (deleted)"
        var names: Set<Substring> = []
        for line in maps.split(separator: "\n") where line.hasSuffix(suffix) {
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1].contains("x") else { continue }
            let path = fields[5].dropLast(suffix.count)
            if let folder, path.hasPrefix(folder + "/") { continue }
            // Memory that processes share looks the same: /memfd:…, /dev/zero, /SYSV….
            guard let name = path.split(separator: "/").last,
                name.hasSuffix(".so") || name.contains(".so.")
            else { continue }
            names.insert(name)
        }
        return names.sorted().prefix(maximumCount).map(String.init)
    }
}
