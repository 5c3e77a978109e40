internal import Glibc
package import Transport

/// Releases published in a folder: `ROOT/versions/APP/ENV/current.json` names the release to run,
/// `ROOT/dist/APP/APP-VERSION.tar.gz` are the packages.
///
/// Either may be a symbolic link to a regular file. Because published releases are run, the store
/// accepts a file only if nobody but trusted users can have written it (``PathTrust``). It checks
/// this each time.
package struct FolderStore: ReleaseStore, Equatable {
    package let root: String
    package let application: String
    package let environment: String
    /// Who may publish.
    package let publishers: TrustedUsers

    /// - Parameters:
    ///   - application: like `environment`, a name that the configuration has found fit for a path.
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

    package var packageFolder: String { "\(root)/dist/\(application)" }

    package func packagePath(of release: Release) -> String {
        "\(packageFolder)/\(application)-\(release.version).tar.gz"
    }

    package func current() async throws(StoreError) -> Release? {
        let (path, trust) = (currentPath, Self.trust(publishers))
        return try await offload { () throws(StoreError) in try Self.readCurrent(path, trust) }
    }

    /// The package in its place in the store: nothing is copied.
    package func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        let (path, trust) = (packagePath(of: release), Self.trust(publishers))
        try await offload { () throws(StoreError) in try Self.checkPackage(path, trust) }
        return LocalPackage(path: path, owners: publishers)
    }

    /// The rules by which the store's paths are walked.
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
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try file.readAll(limit: Release.maximumByteCount, "reading it")
        } catch {
            throw .unreadable(path: path, error)
        }
        guard let bytes else {
            throw .invalid(path: path, .tooLong(byteCount: Release.maximumByteCount + 1))
        }
        return try converting({ StoreError.invalid(path: path, $0) }, Release(parsing: bytes))
    }

    private static func checkPackage(_ path: String, _ trust: PathTrust) throws(StoreError) {
        do throws(PathTrustError) {
            _ = try trust.file(path)
        } catch {
            throw error.isNotFound ? .missingPackage(path: path) : StoreError(error, path: path)
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
