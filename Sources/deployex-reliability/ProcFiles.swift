internal import Glibc

/// What `/proc`, and other files, say.
enum ProcFiles {
    /// A file's content, empty when it cannot be read.
    static func bytes(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return content }
            content += buffer[..<count]
        }
    }

    static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

    /// The names in a folder.
    static func names(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    static var pids: [pid_t] { names("/proc").compactMap { pid_t($0) } }

    /// The program that a process runs; `nil` when it has ended.
    static func program(_ pid: pid_t) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // A release that has been removed or moved while it runs.
        return path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
    }

    static func arguments(_ pid: pid_t) -> [String] { strings("/proc/\(pid)/cmdline") }

    static func variable(_ name: String, of pid: pid_t) -> String? {
        strings("/proc/\(pid)/environ").first { $0.hasPrefix(name + "=") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    private static func strings(_ path: String) -> [String] {
        bytes(path).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The fields of `/proc/PID/stat` from the third, the state, on.
    static func status(_ pid: pid_t) -> [Substring] {
        let text = text("/proc/\(pid)/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
