internal import AWS
internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// A store in a bucket whose packages must be signed: it gets the signature with each package.
///
/// A package stays on this host, and so does its signature, for times when nobody can be asked.
/// Otherwise it is asked for each time, as a package may be signed again.
struct SignedBucket: ReleaseStore {
    private let store: S3Store
    private let bucket: S3Bucket
    private let application: String
    private let client: S3Client
    private let kept: KeptSignatures
    private let log: @Sendable (LogLevel, String) -> Void

    /// - Parameters:
    ///   - packages: where the packages stay.
    ///   - files: for what is in there.
    init(
        _ store: S3Store, _ bucket: S3Bucket, application: String, amazon: AmazonAccess,
        packages: String, files: any FileSystem, log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.store = store
        self.bucket = bucket
        self.application = application
        // The signature that is here is not to wait for long, and whoever stages asks again.
        var limits = S3Client.Limits()
        limits.attempts = 2
        client = amazon.client(of: bucket, limits: limits)
        kept = KeptSignatures(packages: packages, files: files)
        self.log = log
    }

    var catalog: String { store.catalog }

    func current() async throws(StoreError) -> Release? { try await store.current() }

    func requirePackage(of release: Release) async throws(StoreError) {
        try await store.requirePackage(of: release)
    }

    func discard(_ package: LocalPackage) async { await store.discard(package) }

    func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        // A package that nobody has signed is not fetched.
        let found = await signature(of: release)
        if case .success(nil) = found { throw .unsigned(address: address(of: release)) }
        var package = try await store.package(of: release, into: folder)
        package.signaturePath = kept.path(of: package)
        let (kept, path) = (kept, package.signaturePath)
        do throws(FileSystemError) {
            switch found {
            case .success(let bytes):
                try await offload { () throws(FileSystemError) in
                    try kept.put(bytes ?? [], at: path)
                }
                return package
            case .failure(let failure):
                guard
                    try await offload({ () throws(FileSystemError) in
                        try kept.files.status(path)?.kind == .file
                    })
                else { throw .unusable("\(failure)") }
                log(.warning, "\(failure): taking the signature that is here")
                return package
            }
        } catch {
            throw .unavailable(address: address(of: release), reason: "\(error)")
        }
    }

    private func address(of release: Release) -> String {
        "s3://\(bucket.name)/\(key(of: release))"
    }

    private func key(of release: Release) -> String {
        LocalPackage.signaturePath(of: S3Store.packageKey(of: application, release.version))
    }

    /// What is in the bucket now; `nil` if there is none.
    private func signature(of release: Release) async -> Result<[UInt8]?, S3Client.Failure> {
        do throws(S3Client.Failure) {
            let object = try await client.object(
                key(of: release), unless: nil,
                byteLimit: LocalPackage.maximumSignatureByteCount)
            switch object {
            case .found(let bytes, _): return .success(bytes)
            case .missing, .unchanged: return .success(nil)
            }
        } catch {
            return .failure(error)
        }
    }
}

/// The signatures of the packages that stay on this host, in a folder beside the packages. All of it
/// blocks.
private struct KeptSignatures: Sendable {
    var packages: String
    var files: any FileSystem

    private var folder: String { "\(packages)/signatures" }

    func path(of package: LocalPackage) -> String {
        LocalPackage.signaturePath(
            of: "\(folder)/\(HostFileSystem.name(of: package.path))")
    }

    /// Keeps a signature, and removes those of packages that have gone.
    func put(_ bytes: [UInt8], at path: String) throws(FileSystemError) {
        try files.makePrivateFolder(folder)
        try files.replaceFile(path, with: bytes)
        let wanted = Set(try files.list(packages).map(LocalPackage.signaturePath))
        for name in try files.list(folder) where !wanted.contains(name) {
            try files.removeFile("\(folder)/\(name)")
        }
    }
}
