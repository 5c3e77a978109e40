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
        guard let bytes = read("/proc/\(pid)/status") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        // Real, effective, saved, and for files.
        guard let line = lines.first(where: { $0.hasPrefix("Uid:") }) else { return nil }
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { UInt32($0) }
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
