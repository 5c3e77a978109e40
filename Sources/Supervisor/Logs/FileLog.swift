internal import Dispatch
internal import Transport

/// A log file of our own, for lines from any thread.
///
/// Lines are written on a queue of their own, many at a time, so a slow disk holds nobody up. Lines
/// that the disk does not take, and lines that cannot be kept until it does, are dropped. The next
/// line that is written says how many. The file is rotated by renaming it, into the same pieces as
/// the instances' logs. It is opened again when somebody else (logrotate) has renamed or removed
/// it.
package final class FileLog: Sendable {
    private struct Pending {
        var bytes: [UInt8] = []
        var lineCount = 0
        var droppedCount = 0
        var isScheduled = false
    }

    package let path: String
    private let queue: DispatchQueue
    private let writer: FileLogWriter
    private let pending = Guarded(Pending())

    /// Bytes that may wait for the disk.
    package static let maximumPendingByteCount = 1 << 20

    /// The folder is made with the first line, mode 0750, and the file with mode 0640.
    package init(path: String, limits: LogLimits) {
        self.path = path
        queue = DispatchQueue(label: "deployex.log.\(HostFileSystem.name(of: path))")
        writer = FileLogWriter(path: path, limits: limits)
    }

    /// Adds a line and its line end. Text by others in the line is made safe: see ``SafeText``.
    package func write(_ line: String) {
        let bytes = Array(SafeText.line(line).utf8) + [0x0A]
        let mustSchedule = pending.withLock { pending in
            guard pending.bytes.count + bytes.count <= Self.maximumPendingByteCount else {
                pending.droppedCount += 1
                return false
            }
            pending.bytes += bytes
            pending.lineCount += 1
            defer { pending.isScheduled = true }
            return !pending.isScheduled
        }
        if mustSchedule { queue.async { self.drain() } }
    }

    /// Closes the file: the next line opens the file that has its name then.
    package func reopen() {
        queue.async { self.writer.close() }
    }

    /// Waits until everything is handed to the kernel, but at most a second.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }

    private func drain() {
        let batch = pending.withLock { pending in
            defer { pending = Pending() }
            return pending
        }
        let unwrittenCount = writer.write(
            batch.bytes, lineCount: batch.lineCount, droppedCount: batch.droppedCount)
        if unwrittenCount > 0 {
            pending.withLock { $0.droppedCount += unwrittenCount }
        }
    }
}
