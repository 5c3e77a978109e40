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
    private let fetched: FetchedPackages?
    private let needsSignatures: Bool

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
        self.needsSignatures = needsSignatures
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
            let packages = FetchedPackages(
                folder: "\(basePath)/packages/\(name)", application: name, files: files)
            fetched = packages
            let bucketStore = S3Store(
                bucket, application: name, environment: environment,
                client: amazon.client(of: bucket),
                packages: packages,
                loop: amazon.loop,
                reports: .init(log: log) { progress in
                    fetch.progress.withLock { $0 = progress }
                    onProgress()
                })
            store =
                needsSignatures
                ? SignedBucket(
                    bucketStore, bucket, application: name, amazon: amazon,
                    packages: packages.folder, files: files, log: log) : bucketStore
        }
    }

    /// A release's package, if it is on this host: nothing is fetched. `nil` if it is not, or if it
    /// is not known which of several builds is meant.
    func localPackage(of release: Release) async throws(StoreError) -> LocalPackage? {
        guard let fetched else {
            do throws(StoreError) {
                return try await folder?.package(of: release, into: "")
            } catch {
                if case .missingPackage = error { return nil }
                throw error
            }
        }
        let builds: [String]
        do throws(FileSystemError) {
            builds = try await offload { () throws(FileSystemError) in
                try fetched.builds(of: release)
            }
        } catch {
            throw .unavailable(address: fetched.folder, reason: "\(error)")
        }
        guard builds.count == 1 else { return nil }
        let name = builds[0].dropFirst(fetched.folder.count + 1)
        return LocalPackage(
            path: builds[0],
            signaturePath: needsSignatures
                ? LocalPackage.signaturePath(of: "\(fetched.folder)/signatures/\(name)") : nil)
    }
}
