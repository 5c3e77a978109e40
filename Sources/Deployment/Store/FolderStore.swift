internal import Glibc
internal import Transport

/// Releases published in a folder: `ROOT/versions/APP/ENV/current.json` names the one to run,
/// `ROOT/dist/APP/APP-VERSION.tar.gz` are the packages.
///
/// Either may be a symbolic link to a regular file.
package struct FolderStore: ReleaseStore, Equatable {
    package let root: String
    package let application: String
    package let environment: String

    /// - Parameters:
    ///   - application: and `environment`: names that the configuration has found fit for a path.
    package init(root: String, application: String, environment: String) {
        self.root = root
        self.application = application
        self.environment = environment
    }

    package var currentPath: String {
        "\(root)/versions/\(application)/\(environment)/current.json"
    }

    package var catalog: String { currentPath }

    package func packagePath(of release: Release) -> String {
        "\(root)/dist/\(application)/\(application)-\(release.version).tar.gz"
    }

    package func current() async throws(StoreError) -> Release? {
        let path = currentPath
        let result = await offload { () -> Result<Release?, StoreError> in
            do throws(StoreError) {
                return .success(try Self.readCurrent(path))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The package where it stands: nothing is copied.
    package func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        let path = packagePath(of: release)
        let error = await offload { Self.checkPackage(path) }
        if let error { throw error }
        return LocalPackage(path: path, isTemporary: false)
    }

    private static func readCurrent(_ path: String) throws(StoreError) -> Release? {
        // Without O_NONBLOCK opening a FIFO waits for somebody to write to it.
        let raw = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw .unreadable(path: path, .last("opening it"))
        }
        let file = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(raw, &status) == 0 else {
            throw .unreadable(path: path, .last("looking at it"))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        let bytes = try read(file, path)
        do throws(ReleaseError) {
            return try Release(parsing: bytes)
        } catch {
            throw .invalid(path: path, error)
        }
    }

    /// All bytes, or one more than a `current.json` may have.
    private static func read(
        _ file: borrowing FileDescriptor, _ path: String
    ) throws(StoreError) -> [UInt8] {
        let limit = Release.maximumByteCount + 1
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: limit)
        while bytes.count < limit {
            let count = Glibc.read(file.raw, &chunk, limit - bytes.count)
            if count == 0 { break }
            if count > 0 {
                bytes += chunk[..<count]
            } else if errno != EINTR {
                throw .unreadable(path: path, .last("reading it"))
            }
        }
        return bytes
    }

    private static func checkPackage(_ path: String) -> StoreError? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return errno == ENOENT
                ? .missingPackage(path: path) : .unreadable(path: path, .last("looking at it"))
        }
        return status.st_mode & S_IFMT == S_IFREG ? nil : .notAFile(path: path)
    }
}
