internal import CLinux
internal import Glibc
package import Transport

/// Holds a folder for one process, with `FOLDER/deployex.lock`. The kernel releases the lock when
/// the holder ends, however it ends.
package final class FolderLock: Sendable {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        /// Another process holds the lock; `pid` is what that process wrote, if it can be read.
        case held(folder: String, pid: Int32?)
        case system(SystemError)

        package var description: String {
            switch self {
            case .held(let folder, let pid):
                "another deployex"
                    + (pid.map { " (process \($0))" } ?? "")
                    + " works in \(folder): stop it, or set DEPLOYEX_BASE_PATH to another folder"
            case .system(let error): error.description
            }
        }
    }

    private let descriptor: FileDescriptor

    /// Takes the lock or throws at once. Source: flock(2).
    package init(folder: String) throws(Failure) {
        let path = folder + "/deployex.lock"
        let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { throw .system(.last("opening \(path)")) }
        let descriptor = FileDescriptor(owning: raw)
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            guard clinux_errno() == EWOULDBLOCK else { throw .system(.last("locking \(path)")) }
            throw .held(folder: folder, pid: Self.pid(in: raw))
        }
        self.descriptor = consume descriptor
        // This is only for the message that the next process shows.
        let text = "\(getpid())\n"
        _ = ftruncate(raw, 0)
        _ = text.withCString { pwrite(raw, $0, strlen($0), 0) }
    }

    private static func pid(in raw: Int32) -> Int32? {
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = pread(raw, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        let text = String(decoding: buffer[..<count], as: UTF8.self)
        return Int32(text.prefix { $0.isASCII && $0.isNumber })
    }
}
