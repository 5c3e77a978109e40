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
        case .bucket(let bucket):
            guard let amazon else { preconditionFailure("A bucket is asked through AmazonAccess") }
            folder = nil
            let packages = "\(basePath)/packages/\(name)"
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
}
