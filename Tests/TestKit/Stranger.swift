internal import Glibc
package import Transport

/// Another user of the host, who has no account. Only root can act for one.
package enum Stranger {
    package static let user: UInt32 = 54_321
    package static var isPossible: Bool { geteuid() == 0 }

    /// Makes the socket of this process that listens on `address` one of the stranger's, as if the
    /// stranger had made it (`sockfs_setattr` in the kernel).
    /// - Returns: its inode.
    @discardableResult
    package static func takesOver(_ address: SocketAddress) throws -> UInt64 {
        // Tests beside this one may have thousands open.
        for descriptor: Int32 in 3..<65_536 {
            var isListening: Int32 = 0
            var length = socklen_t(4)
            var storage = sockaddr_in()
            var storageLength = socklen_t(MemoryLayout<sockaddr_in>.size)
            let port = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    getsockname(descriptor, $0, &storageLength)
                }
            }
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0,
                isListening == 1, port == 0, storage.sin_family == sa_family_t(AF_INET),
                UInt16(bigEndian: storage.sin_port) == address.port
            else { continue }
            var status = stat()
            guard fchown(descriptor, user, gid_t.max) == 0, fstat(descriptor, &status) == 0 else {
                throw failure
            }
            return UInt64(status.st_ino)
        }
        throw failure
    }

    private static var failure: TestFailure { TestFailure("no socket can be given to a stranger") }
}
