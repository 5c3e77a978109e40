internal import CLinux
internal import COpenSSL
internal import Glibc

/// A small file, read whole on the calling thread. It may hold secrets: the memory is cleared when it
/// goes away.
package struct FileContents: ~Copyable {
    package enum Failure: Error, Equatable {
        case tooLong
        /// The system's words: "no such file or directory".
        case system(String)
    }

    package let bytes: UnsafeRawBufferPointer

    package init(_ path: String, maximumByteCount: Int) throws(Failure) {
        // A pipe that nobody writes to must not hold up the caller (open(2)).
        let raw = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else { throw Self.lastFailure() }
        let descriptor = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw Self.lastFailure() }
        guard status.st_size <= maximumByteCount else { throw .tooLong }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(status.st_size) + 1, alignment: 16)
        var count = 0
        while count < buffer.count {
            let read = Glibc.read(
                descriptor.raw, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            if read < 0 {
                let failure = Self.lastFailure()
                buffer.deallocate()
                throw failure
            }
            if read == 0 { break }
            count += read
        }
        bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    deinit {
        let buffer = UnsafeMutableRawBufferPointer(mutating: bytes)
        OPENSSL_cleanse(buffer.baseAddress, buffer.count)
        buffer.deallocate()
    }

    private static func lastFailure() -> Failure { .system(SystemError.text(clinux_errno())) }
}
