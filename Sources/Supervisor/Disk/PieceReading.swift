internal import CLinux
internal import Glibc
package import Transport

extension LogOpening {
    /// What a file was when it was opened.
    package struct Stamp: Equatable, Sendable {
        /// When it was last written, in seconds since 1970.
        package var seconds: Int
        package var byteCount: Int
    }

    /// Reads a file beside the logs piece by piece, from its beginning. It blocks.
    /// - Parameters:
    ///   - owners: who may own it and its folder.
    ///   - limit: about how many bytes are read at most.
    ///   - take: returns whether it wants more.
    package static func read(
        _ path: String, owners: TrustedUsers, limit: Int, _ take: ([UInt8]) -> Bool
    ) throws(FileSystemError) -> Stamp {
        let file = try read(path, owners: owners)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .last("reading \(path)") }
        var buffer = [UInt8](repeating: 0, count: pieceByteCount)
        var readCount = 0
        while readCount < limit {
            let count = buffer.withUnsafeMutableBytes {
                Glibc.read(file.raw, $0.baseAddress, $0.count)
            }
            if count < 0, clinux_errno() == EINTR { continue }
            guard count >= 0 else { throw .last("reading \(path)") }
            guard count > 0 else { break }
            readCount += count
            guard take(count == buffer.count ? buffer : Array(buffer[..<count])) else { break }
        }
        return Stamp(seconds: status.st_mtim.tv_sec, byteCount: Int(status.st_size))
    }

    private static let pieceByteCount = 256 << 10
}
