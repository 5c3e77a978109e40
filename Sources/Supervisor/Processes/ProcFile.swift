internal import CLinux
internal import Glibc
internal import Transport

/// Reads from `/proc`, where files have no size and folders change while they are read.
package enum ProcFile {
    /// The file's first bytes, or `nil` when it cannot be read, for example because its process is
    /// gone.
    package static func read(_ path: String, limit: Int = 4096) -> [UInt8]? {
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

    /// The real user of a process, or `nil` when the process is gone. A process that starts a
    /// setuid program keeps its real user, but could pass for somebody else by its effective user.
    /// Source: proc_pid_status(5).
    static func user(of pid: Int32) -> UInt32? {
        // Real, effective, saved and file system user ids.
        status(of: pid, "Uid:").first.flatMap { UInt32($0) }
    }

    /// The pid that a process sees as its own. It differs from `pid` if the process runs in its own
    /// pid namespace. `nil` when the process is gone. Source: proc_pid_status(5).
    static func namespacePID(of pid: Int32) -> Int32? {
        // The pids from our own namespace to the innermost one.
        status(of: pid, "NSpid:").last.flatMap { Int32($0) }
    }

    /// The words of one line of a process's status; empty when the process is gone.
    private static func status(of pid: Int32, _ name: String) -> [Substring] {
        guard let bytes = read("/proc/\(pid)/status") else { return [] }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(name) } ?? ""
        return Array(line.split(whereSeparator: \.isWhitespace).dropFirst())
    }

    /// The environment variables that a process was started with, each as `NAME=VALUE`; empty if we
    /// may not see them. Source: proc_pid_environ(5).
    static func environment(of pid: Int32) -> [String] {
        // Most environments are a few KiB; the kernel takes 128 KiB for one variable.
        var bytes = read("/proc/\(pid)/environ", limit: 64 << 10) ?? []
        if bytes.count == 64 << 10 { bytes = read("/proc/\(pid)/environ", limit: 4 << 20) ?? [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The value of one environment variable of a process.
    static func variable(_ name: String, of pid: Int32) -> String? {
        environment(of: pid).first { $0.hasPrefix(name + "=") }.map {
            String($0.dropFirst(name.utf8.count + 1))
        }
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
