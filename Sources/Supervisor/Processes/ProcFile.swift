internal import CLinux
internal import Glibc
internal import Transport

/// Reads from `/proc`, where files have no size and folders change while they are read.
enum ProcFile {
    /// The file's first bytes, or `nil` when it cannot be read, as when its process has gone.
    static func read(_ path: String, limit: Int = 4096) -> [UInt8]? {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let descriptor = FileDescriptor(owning: raw)
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while count < buffer.count {
                let result = Glibc.read(
                    descriptor.raw, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                if result < 0, clinux_errno() == EINTR { continue }
                guard result > 0 else { break }
                count += result
            }
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// The user of a process, or `nil` when it has gone. The real one: whoever starts a program that is setuid
    /// stays its real user, and could pass for somebody else by the effective one. Source: proc_pid_status(5).
    static func user(of pid: Int32) -> UInt32? {
        // Real, effective, saved, and for files.
        status(of: pid, "Uid:").first.flatMap { UInt32($0) }
    }

    /// The pid that a process has for itself: another one than `pid` where it runs in a namespace of its
    /// own. `nil` when it has gone. Source: proc_pid_status(5).
    static func namespacePID(of pid: Int32) -> Int32? {
        // From our own namespace to the innermost.
        status(of: pid, "NSpid:").last.flatMap { Int32($0) }
    }

    /// The words of one line of a process's status; none when it has gone.
    private static func status(of pid: Int32, _ name: String) -> [Substring] {
        guard let bytes = read("/proc/\(pid)/status") else { return [] }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(name) } ?? ""
        return Array(line.split(whereSeparator: \.isWhitespace).dropFirst())
    }

    /// A process's environment variables as it was started with them, each `NAME=VALUE`; none where it is not
    /// ours to see. Source: proc_pid_environ(5).
    static func environment(of pid: Int32) -> [String] {
        // Most are a few KiB; the kernel takes 128 KiB for one variable.
        var bytes = read("/proc/\(pid)/environ", limit: 64 << 10) ?? []
        if bytes.count == 64 << 10 { bytes = read("/proc/\(pid)/environ", limit: 4 << 20) ?? [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The pids of all processes.
    static func pids() -> [Int32] {
        do throws(FileSystemError) {
            return try FolderEntries.texts(of: "/proc", in: AT_FDCWD).compactMap { Int32($0) }
        } catch {
            return []
        }
    }
}
