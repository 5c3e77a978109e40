internal import CLinux
internal import Glibc
internal import Transport

/// A log or a piece of one, held open, as it was when it was opened. Every call blocks.
final class OpenedLog {
    let path: String
    let inode: UInt64
    let mode: UInt32
    /// When it was last written to, in seconds since 1970.
    let writtenAt: Int64
    /// The file's size, including what was freed at its head.
    private(set) var byteCount: Int64 = 0
    /// Where the file's content begins: a hole that was freed at its head is not content.
    private(set) var firstData: Int64 = 0
    private let descriptor: FileDescriptor

    /// The most bytes that a file may have, holes included. Its writer can make a file longer,
    /// since it can seek in its own output; no real log is that long.
    static let maximumByteCount: Int64 = 1 << 60

    var raw: Int32 { descriptor.raw }
    /// How many bytes it holds.
    var contentByteCount: Int64 { byteCount - firstData }

    /// `nil` when there is no such file, or something that is not a log (a pipe, a terminal). With
    /// `isChanged` it is also `nil` when there is a link.
    /// - Parameters:
    ///   - isChanged: opens the log for cutting off its head.
    ///   - owners: who may own it and its folder.
    ///   - onSized: for tests; called between the looks at its size and at where its bytes begin.
    /// - Throws: ``FileSystemError/untrusted(_:)`` when the file may not be what it seems to be.
    init?(
        _ path: String, isChanged: Bool = false, owners: TrustedUsers = TrustedUsers(),
        onSized: () throws(FileSystemError) -> Void = { () throws(FileSystemError) in }
    ) throws(FileSystemError) {
        do throws(FileSystemError) {
            descriptor = try LogOpening.read(path, isChanged: isChanged, owners: owners)
        } catch {
            switch error {
            case .untrusted(let refusal):
                switch refusal.reason {
                case .untrusted(.notAFile): return nil
                case .link where isChanged: return nil
                case .untrusted, .link, .tooManyLinks, .system: throw error
                }
            default:
                if error.isNotFound { return nil }
                throw error
            }
        }
        self.path = path
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw .last("looking at \(path)") }
        inode = UInt64(status.st_ino)
        mode = status.st_mode & 0o777
        writtenAt = Int64(status.st_mtim.tv_sec)
        try measure(onSized: onSized)
    }

    /// Looks at the size and the hole again, until both are of one moment. A size from before the
    /// hole was cut out would count bytes that do not exist.
    func measure(
        onSized: () throws(FileSystemError) -> Void = { () throws(FileSystemError) in }
    ) throws(FileSystemError) {
        var dataBegin = try findData()
        while true {
            var status = stat()
            guard fstat(raw, &status) == 0 else { throw .last("looking at \(path)") }
            try onSized()
            let before = dataBegin
            dataBegin = try findData()
            guard dataBegin == before else { continue }
            let size = Int64(status.st_size)
            guard max(size, dataBegin ?? 0) <= Self.maximumByteCount else {
                throw .tooLarge(path: path, limit: Int(Self.maximumByteCount))
            }
            firstData = dataBegin ?? size
            byteCount = max(size, firstData)
            return
        }
    }

    /// `nil` when the file has nothing but holes.
    private func findData() throws(FileSystemError) -> Int64? {
        let found = clinux_seek_data(raw, 0)
        if found >= 0 { return found }
        switch clinux_errno() {
        case ENXIO: return nil
        // Without support for holes, everything is content.
        case EINVAL, EOPNOTSUPP: return 0
        default: throw .last("looking at \(path)")
        }
    }

    /// Up to `count` bytes from byte `position` of the file on; fewer at its end.
    func read(at position: Int64, count: Int) throws(FileSystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes[filled...].withUnsafeMutableBytes {
                pread(raw, $0.baseAddress, $0.count, off_t(position) + filled)
            }
            if result < 0, clinux_errno() == EINTR { continue }
            guard result >= 0 else { throw .last("reading \(path)") }
            if result == 0 { break }
            filled += result
        }
        if filled < count { bytes.removeLast(count - filled) }
        return bytes
    }

    /// Frees a part of the file. It then reads as zeros and is not content any more. Durable on
    /// return.
    func free(from position: Int64, count: Int64) throws(FileSystemError) {
        let attempt = "freeing the rotated part of \(path)"
        guard clinux_punch_hole(raw, position, count) == 0 else { throw .last(attempt) }
        guard fdatasync(raw) == 0 else { throw .last(attempt) }
    }

    /// Frees a part of the file as ``free(from:count:)`` does, without waiting for the disk.
    /// - Returns: whether the file system can do it.
    func canBeFreed(from position: Int64, count: Int64) throws(FileSystemError) -> Bool {
        guard clinux_punch_hole(raw, position, count) != 0 else { return true }
        let code = clinux_errno()
        guard code == EOPNOTSUPP || code == ENOSYS else { throw .last("freeing a part of \(path)") }
        return false
    }

    /// Cuts the hole at the head out of the file, also for the writers.
    /// - Returns: whether the file system can do it.
    func dropHole() throws(FileSystemError) -> Bool {
        try measure()
        guard firstData > 0, firstData < byteCount else { return true }
        guard clinux_collapse_head(raw, firstData) != 0 else {
            try measure()
            return true
        }
        // EINVAL: the blocks are larger than what was freed.
        let code = clinux_errno()
        guard code == EOPNOTSUPP || code == EINVAL || code == ENOSYS || code == EPERM else {
            throw .last("shortening \(path)")
        }
        return false
    }
}
