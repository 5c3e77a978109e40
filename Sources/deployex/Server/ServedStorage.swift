internal import AWS
internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// Where an application's releases come from.
final class ServedStorage: Sendable {
    let store: any ReleaseStore
    /// The store, if it is a folder, which can be watched.
    let folder: FolderStore?
    private let fetch: Fetch
    /// Where the packages of a bucket stay.
    private let fetched: FetchedFolder?

    fileprivate struct FetchedFolder {
        var path: String
        var application: String
        var files: any FileSystem
        var hasSignatures: Bool
    }

    /// What is being fetched at the moment.
    var fetching: FetchProgress? { fetch.progress.withLock { $0 } }

    private final class Fetch: Sendable {
        let progress = Guarded<FetchProgress?>(nil)
    }

    /// - Parameters:
    ///   - publishers: who may own what is in a folder.
    ///   - amazon: for a bucket.
    ///   - files: the base folder's.
    ///   - needsSignatures: whether packages must be signed.
    ///   - onProgress: called on the loop's thread whenever more has been fetched.
    init(
        _ configuration: ApplicationConfiguration, publishers: TrustedUsers,
        amazon: AmazonAccess?, basePath: String, files: any FileSystem, needsSignatures: Bool,
        log: @escaping @Sendable (LogLevel, String) -> Void,
        onProgress: @escaping @Sendable () -> Void
    ) {
        let fetch = Fetch()
        self.fetch = fetch
        let (name, environment) = (configuration.name, configuration.storage.environment)
        switch configuration.storage.place {
        case .folder(let path):
            let folder = FolderStore(
                root: path, application: name, environment: environment, publishers: publishers)
            (store, self.folder) = (folder, folder)
            fetched = nil
        case .bucket(let bucket):
            guard let amazon else { preconditionFailure("A bucket is asked through AmazonAccess") }
            folder = nil
            let packages = "\(basePath)/packages/\(name)"
            self.fetched = FetchedFolder(
                path: packages, application: name, files: files, hasSignatures: needsSignatures)
            let fetched = S3Store(
                bucket, application: name, environment: environment,
                client: amazon.client(of: bucket),
                packages: FetchedPackages(folder: packages, application: name, files: files),
                loop: amazon.loop,
                reports: .init(log: log) { progress in
                    fetch.progress.withLock { $0 = progress }
                    onProgress()
                })
            store =
                needsSignatures
                ? SignedBucket(
                    fetched, bucket, application: name, amazon: amazon,
                    packages: packages, files: files, log: log) : fetched
        }
    }

    /// A release's package, if it is on this host: nothing is fetched. `nil` if it is not.
    func localPackage(of release: Release) async throws(StoreError) -> LocalPackage? {
        guard let fetched else {
            do throws(StoreError) {
                return try await folder?.package(of: release, into: "")
            } catch {
                if case .missingPackage = error { return nil }
                throw error
            }
        }
        do throws(FileSystemError) {
            return try await offload { () throws(FileSystemError) in
                try fetched.package(of: release)
            }
        } catch {
            throw .unavailable(address: fetched.path, reason: "\(error)")
        }
    }
}

extension ServedStorage.FetchedFolder {
    /// Named as `FetchedPackages` names it. What an operator has asked for by its version alone has no
    /// hash: then the only build of the version is meant. It blocks.
    fileprivate func package(of release: Release) throws(FileSystemError) -> LocalPackage? {
        func name(_ hash: String) -> String {
            let build = Digest.text(Digest.sha256(Array(hash.utf8)).prefix(6))
            return "\(application)-\(release.version)-\(build).tar.gz"
        }
        var found = name(release.hash)
        if try files.status("\(path)/\(found)")?.kind != .file {
            guard release.hash.isEmpty, try files.status(path) != nil else { return nil }
            let prefix = "\(application)-\(release.version)-"
            let builds = try files.list(path).filter { entry in
                // A version may have dashes: what follows it must be a build.
                entry.utf8.count == found.utf8.count && entry.hasPrefix(prefix)
                    && entry.hasSuffix(".tar.gz")
                    && !entry.dropFirst(prefix.count).dropLast(7).contains("-")
            }
            guard builds.count == 1 else { return nil }
            found = builds[0]
        }
        return LocalPackage(
            path: "\(path)/\(found)",
            signaturePath: hasSignatures
                ? LocalPackage.signaturePath(of: "\(path)/signatures/\(found)") : nil)
    }
}
