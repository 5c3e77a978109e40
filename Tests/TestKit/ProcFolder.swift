internal import Glibc

/// What `/proc` says. What cannot be read is empty.
package enum ProcFolder {
    package static var pids: [Int32] { Files.names("/proc").compactMap { Int32($0) } }

    /// The program that a process runs; `nil` when it has ended, or is not ours to look at.
    package static func program(_ pid: Int32) -> String? {
        guard let path = link("/proc/\(pid)/exe") else { return nil }
        // A release that has been removed or moved while it runs.
        return path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
    }

    package static func arguments(_ pid: Int32) -> [String] { strings("/proc/\(pid)/cmdline") }

    package static func environment(_ pid: Int32) -> [String: String] {
        var variables: [String: String] = [:]
        for entry in strings("/proc/\(pid)/environ") {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return variables
    }

    package static func variable(_ name: String, of pid: Int32) -> String? {
        strings("/proc/\(pid)/environ").first { $0.hasPrefix(name + "=") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    /// What each open descriptor is.
    package static func descriptors(_ pid: Int32) -> [Int: String] {
        let folder = "/proc/\(pid)/fd"
        var found: [Int: String] = [:]
        for name in Files.names(folder) {
            guard let number = Int(name), let target = link("\(folder)/\(name)") else { continue }
            found[number] = target
        }
        return found
    }

    /// The fields of `/proc/PID/stat` from the third, the state, on.
    package static func fields(_ pid: Int32) -> [Substring] {
        let text = Files.text("/proc/\(pid)/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// The session of a process that runs: not of a zombie.
    package static func session(_ pid: Int32) -> Int32? {
        let fields = fields(pid)
        guard fields.count > 3, fields[0] != "Z" else { return nil }
        return Int32(fields[3])
    }

    package static func isRunning(_ pid: Int32) -> Bool { session(pid) != nil }

    /// All processes below one that runs, in whatever session: what it has started, and so on.
    package static func descendants(_ pid: Int32) -> [Int32] {
        let parents = pids.map { (pid: $0, fields: fields($0)) }
            .filter { $0.fields.count > 1 && $0.fields[0] != "Z" }
            .map { (pid: $0.pid, parent: Int32($0.fields[1])) }
        var found: [Int32] = []
        var next = [pid]
        while let parent = next.popLast() {
            let children = parents.filter { $0.parent == parent }.map(\.pid)
            found += children
            next += children
        }
        return found
    }

    private static func strings(_ path: String) -> [String] {
        Files.bytes(path).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The rest of the first line that begins with `name`, without blanks around it.
    package static func value(_ name: String, in path: String) -> String? {
        Files.text(path).split(separator: "\n").first { $0.hasPrefix(name) }.map { line in
            let rest = line.dropFirst(name.count).drop { $0 == " " || $0 == "\t" || $0 == ":" }
            return String(rest)
        }
    }
}
