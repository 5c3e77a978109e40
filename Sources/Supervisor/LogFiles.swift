internal import CLinux
internal import Glibc
internal import Transport

/// Where the output of the instances goes: `LOGPATH/APP/APP-I-stdout.log` and `…-stderr.log`.
///
/// The processes append to them by themselves, over restarts of theirs and of deployex.
package struct LogFiles: Sendable {
    package enum Stream: String, Sendable, CaseIterable {
        case stdout, stderr
    }

    /// `LOGPATH`, such as `/var/log`.
    package let root: String

    package init(root: String) {
        self.root = root
    }

    package func folder(app: String) -> String {
        "\(root)/\(app)"
    }

    package func path(_ name: InstanceName, _ stream: Stream) -> String {
        "\(folder(app: name.app))/\(name)-\(stream.rawValue).log"
    }

    /// Makes the application's folder, mode 0750, and those above it that are missing. It blocks.
    package func prepare(app: String, fileSystem: any FileSystem) throws(FileSystemError) {
        try fileSystem.makeFolders(folder(app: app), mode: 0o750)
    }

    /// The last `count` lines, oldest first, without their ends; none when there is no log yet.
    /// At most the last MiB of the file is read, so that there may be fewer lines, and the first of
    /// them may lack its beginning. It blocks.
    package func tail(
        _ name: InstanceName, _ stream: Stream, lines count: Int
    ) throws(FileSystemError) -> [String] {
        try Self.tail(path: path(name, stream), lines: count)
    }

    /// As above, of any file.
    package static func tail(path: String, lines count: Int) throws(FileSystemError) -> [String] {
        guard count > 0 else { return [] }
        let attempt = "reading \(path)"
        let raw = clinux_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
        guard raw >= 0 else {
            if clinux_errno() == ENOENT { return [] }
            throw .last(attempt)
        }
        let descriptor = FileDescriptor(owning: raw)
        let end = Int64(lseek(descriptor.raw, 0, SEEK_END))
        guard end >= 0 else { throw .last(attempt) }
        var start = end
        var bytes: [UInt8] = []
        // From the end, in pieces, until enough line ends have been seen.
        while start > 0, end - start < maximumByteCount {
            let size = Int(min(chunkByteCount, start, maximumByteCount - (end - start)))
            start -= Int64(size)
            bytes.insert(contentsOf: try readPart(descriptor.raw, start, size, attempt), at: 0)
            if lineEnds(bytes) >= count { break }
        }
        return lines(of: bytes, last: count)
    }

    private static let maximumByteCount: Int64 = 1 << 20
    private static let chunkByteCount: Int64 = 128 << 10

    private static func readPart(
        _ raw: Int32, _ offset: Int64, _ size: Int, _ attempt: String
    ) throws(FileSystemError) -> [UInt8] {
        var part = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            let result = part[filled...].withUnsafeMutableBytes {
                pread(raw, $0.baseAddress, $0.count, off_t(offset) + filled)
            }
            if result < 0, clinux_errno() == EINTR { continue }
            guard result >= 0 else { throw .last(attempt) }
            // Somebody has just cut the file.
            if result == 0 { break }
            filled += result
        }
        return Array(part[..<filled])
    }

    /// Line ends that separate a line from another one after it.
    private static func lineEnds(_ bytes: [UInt8]) -> Int {
        bytes.dropLast().count { $0 == UInt8(ascii: "\n") }
    }

    private static func lines(of bytes: [UInt8], last count: Int) -> [String] {
        var bytes = bytes[...]
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
        } else if bytes.isEmpty {
            return []
        }
        return
            bytes
            .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .suffix(count)
            .map { line in
                String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
            }
    }
}
