import FoundationEssentials
import Glibc

/// What `/proc` says of processes.
enum ProcFolder {
    static var pids: [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap {
            pid_t($0)
        }
    }

    /// The program that a process runs; `nil` when it has ended, or is not ours to look at.
    static func program(_ pid: pid_t) -> String? {
        var path = link("/proc/\(pid)/exe")
        // A release that has been removed or moved while it runs.
        if let text = path, text.hasSuffix(" (deleted)") { path = String(text.dropLast(10)) }
        return path
    }

    static func arguments(_ pid: pid_t) -> [String] {
        strings("/proc/\(pid)/cmdline")
    }

    static func environment(_ pid: pid_t) -> [String: String] {
        var variables: [String: String] = [:]
        for entry in strings("/proc/\(pid)/environ") {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return variables
    }

    /// What each open descriptor is.
    static func descriptors(_ pid: pid_t) -> [Int: String] {
        let folder = "/proc/\(pid)/fd"
        var found: [Int: String] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let number = Int(name), let target = link("\(folder)/\(name)") else { continue }
            found[number] = target
        }
        return found
    }

    /// The session of a process that runs: not of a zombie.
    static func session(_ pid: pid_t) -> pid_t? {
        let fields = status(pid)
        guard fields.count > 3, fields[0] != "Z" else { return nil }
        return pid_t(fields[3])
    }

    static func isRunning(_ pid: pid_t) -> Bool { session(pid) != nil }

    /// All processes below one that runs, in whatever session: what it has started, and so on.
    static func descendants(_ pid: pid_t) -> [pid_t] {
        let parents = pids.map { (pid: $0, parent: status($0)) }
            .filter { $0.parent.count > 1 && $0.parent[0] != "Z" }
            .map { (pid: $0.pid, parent: pid_t($0.parent[1])) }
        var found: [pid_t] = []
        var next = [pid]
        while let parent = next.popLast() {
            let children = parents.filter { $0.parent == parent }.map(\.pid)
            found += children
            next += children
        }
        return found
    }

    /// The fields of `/proc/PID/stat` from the third, the state, on.
    private static func status(_ pid: pid_t) -> [Substring] {
        guard let text = strings("/proc/\(pid)/stat").first, let end = text.lastIndex(of: ")")
        else {
            return []
        }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func strings(_ path: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func link(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }
}
