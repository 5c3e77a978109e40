internal import CLinux
internal import COpenSSL
internal import Glibc

/// A small file, read whole on the calling thread. It may contain secrets, so its memory is cleared
/// when it goes away.
package struct FileContents: ~Copyable {
    package let bytes: UnsafeRawBufferPointer

    /// - Parameters:
    ///   - role: what the file is used as. It is refused if users who are not trusted could have
    ///     written it or, for a secret, read it: ``PathTrust``.
    ///   - owners: the users who may own it.
    package init(
        _ path: String, as role: PathTrustRule.Role, owners: TrustedUsers = TrustedUsers(),
        maximumByteCount: Int
    ) throws(TrustedFile.Failure) {
        let descriptor: FileDescriptor
        do throws(PathTrustError) {
            descriptor = try PathTrust.files(of: owners).file(path, as: role)
        } catch {
            throw .refused(error)
        }
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw Self.lastFailure(path) }
        guard status.st_size <= maximumByteCount else {
            throw .tooLarge(path: path, limit: maximumByteCount)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(status.st_size) + 1, alignment: 16)
        var count = 0
        while count < buffer.count {
            let read = Glibc.read(
                descriptor.raw, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            if read < 0 {
                let failure = Self.lastFailure(path)
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

    private static func lastFailure(_ path: String) -> TrustedFile.Failure {
        .refused(PathTrustError(.last("reading \(path)"), path: path))
    }
}
