internal import CLinux
internal import Glibc
internal import Transport

/// The part of a ``FileLog`` that blocks.
///
/// The invariant behind `@unchecked Sendable`: it is used on the log's own queue only.
final class FileLogWriter: @unchecked Sendable {
    private let path: String
    private let limits: LogLimits
    private var descriptor: FileDescriptor?
    /// The disk took only a part of a line.
    private var isInLine = false

    init(path: String, limits: LogLimits) {
        self.path = path
        self.limits = limits
    }

    /// Appends whole lines.
    /// - Parameter droppedCount: how many lines before these were lost; the file then says so.
    /// - Returns: how many lost lines the file does not report yet.
    func write(_ bytes: [UInt8], lineCount: Int, droppedCount: Int) -> Int {
        guard open(room: bytes.count) else { return lineCount + droppedCount }
        var text: [UInt8] = isInLine ? [0x0A] : []
        if droppedCount > 0 {
            text += Array(
                "\(LogTimestamp.now) [warning] \(droppedCount) lines could not be written\n".utf8)
        }
        let notice = text.count
        text += bytes
        let written = descriptor?.write(text[...]) ?? 0
        guard written < text.count else {
            isInLine = false
            return 0
        }
        if written > 0 { isInLine = text[written - 1] != 0x0A }
        // The disk is most likely full. A line that was cut counts as lost.
        guard written >= notice else { return lineCount + droppedCount }
        return text[written...].count { $0 == 0x0A }
    }

    func close() {
        descriptor = nil
    }

    /// Opens the file that has the name now, and first rotates a file that has no room left.
    private func open(room count: Int) -> Bool {
        if let size = currentSize() {
            guard !limits.isOff, size > 0, size > limits.fileByteCount - Int64(count) else {
                return true
            }
            do throws(FileSystemError) {
                try LogRotation(path: path, limits: limits).rename()
                descriptor = nil
            } catch {
                // A file that is too long is better than lost lines.
                return true
            }
        }
        return reopen()
    }

    /// The size of the open file, if it still has the name.
    private func currentSize() -> Int64? {
        guard let raw = descriptor?.raw else { return nil }
        var (opened, named) = (stat(), stat())
        guard fstat(raw, &opened) == 0, lstat(path, &named) == 0,
            opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
        else { return nil }
        return Int64(opened.st_size)
    }

    private func reopen() -> Bool {
        descriptor = nil
        isInLine = false
        do throws(FileSystemError) {
            _ = try LogOpening.makeFolder(HostFileSystem.folder(of: path), mode: 0o750)
            descriptor = try LogOpening.append(to: path)
            return true
        } catch {
            return false
        }
    }
}
