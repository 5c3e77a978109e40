internal import Glibc
internal import Transport

/// Writes to the disk what a file system still holds in memory.
enum FileSystemSync {
    /// syncfs(2): one call for the thousands of files of a release, where fsync(2) of each would
    /// commit the journal each time. It is not in the `Glibc` module, as it needs `_GNU_SOURCE`.
    private static let syncfs: (@convention(c) (Int32) -> Int32)? = dlsym(nil, "syncfs").map {
        unsafeBitCast($0, to: (@convention(c) (Int32) -> Int32).self)
    }

    static func syncFileSystem(of descriptor: Int32) throws(SystemError) {
        guard let syncfs else {
            // A C library without it: every file system, and no errors told.
            sync()
            return
        }
        guard syncfs(descriptor) == 0 else { throw .last("writing the release to the disk") }
    }
}
