internal import Glibc
package import Transport

/// Releases published in a folder: `ROOT/versions/APP/ENV/current.json` names the one to run,
/// `ROOT/dist/APP/APP-VERSION.tar.gz` are the packages.
///
/// Either may be a symbolic link to a regular file. What is published is run: so it is taken only where
/// nobody but trusted users can have written it (``PathTrust``), which is looked at each time.
package struct FolderStore: ReleaseStore, Equatable {
    package let root: String
    package let application: String
    package let environment: String
    /// Who may publish.
    package let publishers: TrustedUsers

    /// - Parameters:
    ///   - application: and `environment`: names that the configuration has found fit for a path.
    ///   - publishers: who may publish.
    package init(
        root: String, application: String, environment: String,
        publishers: TrustedUsers = TrustedUsers()
    ) {
        self.publishers = publishers
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
        let (path, trust) = (currentPath, Self.trust(publishers))
        let result = await offload { () -> Result<Release?, StoreError> in
            do throws(StoreError) {
                return .success(try Self.readCurrent(path, trust))
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
        let (path, trust) = (packagePath(of: release), Self.trust(publishers))
        let error = await offload { Self.checkPackage(path, trust) }
        if let error { throw error }
        return LocalPackage(path: path, isTemporary: false, owners: publishers)
    }

    /// How the store's paths are walked.
    package static func trust(_ publishers: TrustedUsers) -> PathTrust {
        PathTrust(
            users: publishers, mayNameUsers: true,
            remedy: "set DEPLOYEX_STORAGE_PATH (storage.path) to another folder")
    }

    private static func readCurrent(
        _ path: String, _ trust: PathTrust
    ) throws(StoreError) -> Release? {
        let file: FileDescriptor
        do throws(PathTrustError) {
            file = try trust.file(path)
        } catch {
            if error.isNotFound { return nil }
            throw StoreError(error, path: path)
        }
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

    private static func checkPackage(_ path: String, _ trust: PathTrust) -> StoreError? {
        do throws(PathTrustError) {
            _ = try trust.file(path)
            return nil
        } catch {
            return error.isNotFound ? .missingPackage(path: path) : StoreError(error, path: path)
        }
    }
}

extension StoreError {
    fileprivate init(_ error: PathTrustError, path: String) {
        switch error.reason {
        case .system(let reason):
            self = .unreadable(path: path, SystemError("opening it", code: reason.code))
        case .untrusted(.notAFile): self = .notAFile(path: path)
        case .untrusted(.notAFolder):
            self = .unreadable(path: path, SystemError("opening it", code: ENOTDIR))
        case .untrusted, .link, .tooManyLinks: self = .untrusted(error)
        }
    }
}
