internal import Dispatch
internal import Transport

/// A log file of our own, for lines from any thread.
///
/// Lines are written elsewhere, many at a time: a slow disk holds nobody up. What the disk does not
/// take, and what cannot be kept until it does, is dropped; the next line that is written says how
/// much. The file is rotated by its name, in the same pieces as the instances' logs, and opened anew
/// when somebody else (logrotate) has renamed or removed it.
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

    /// The folder is made with the first line, mode 0750; the file with mode 0640.
    package init(path: String, limits: LogLimits) {
        self.path = path
        queue = DispatchQueue(label: "deployex.log.\(HostFileSystem.name(of: path))")
        writer = FileLogWriter(path: path, limits: limits)
    }

    /// Adds a line; it is given its end, and what others wrote in it is made safe: see ``SafeText``.
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

    /// Lets go of the file: the next line opens what has its name then.
    package func reopen() {
        queue.async { self.writer.close() }
    }

    /// Waits until everything is handed to the kernel, for a second at most.
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
