package import Deployment
package import ErlDist
internal import Supervisor
package import Transport

/// Releases published in a bucket: `versions/APP/ENV/current.json` names the release to run,
/// `dist/APP/APP-VERSION.tar.gz` are the packages.
///
/// `current.json` is sent only when it has changed. A package is fetched once, whoever asks for it
/// and how often, and is a local file from then on.
package actor S3Store: ReleaseStore {
    /// Called on the loop's thread.
    package struct Reports: Sendable {
        package var log: @Sendable (LogLevel, String) -> Void
        /// At most once a second, and at the end with `nil`.
        package var progress: @Sendable (FetchProgress?) -> Void

        package init(
            log: @escaping @Sendable (LogLevel, String) -> Void,
            progress: @escaping @Sendable (FetchProgress?) -> Void
        ) {
            self.log = log
            self.progress = progress
        }
    }

    private nonisolated let loop: EventLoop
    private let client: S3Client
    private let bucket: S3Bucket
    private let application: String
    private let environment: String
    private let packages: FetchedPackages
    private let reports: Reports

    /// What `current.json` said last.
    private var known: (tag: String, release: Release)?
    private var isPrepared = false
    private var fetches: [String: Task<Result<LocalPackage, StoreError>, Never>] = [:]
    /// What a failed fetch has left, to be gone on with.
    private var begun: [String: ObjectFile] = [:]
    /// The packages that were given last, which somebody may use still.
    private var given: [String] = []

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(
        _ bucket: S3Bucket, application: String, environment: String, client: S3Client,
        packages: FetchedPackages, loop: EventLoop, reports: Reports
    ) {
        self.bucket = bucket
        self.application = application
        self.environment = environment
        self.client = client
        self.packages = packages
        self.loop = loop
        self.reports = reports
    }

    private nonisolated var currentKey: String { Self.currentKey(of: application, environment) }

    package nonisolated static func currentKey(
        of application: String, _ environment: String
    ) -> String { "versions/\(application)/\(environment)/current.json" }

    package nonisolated static func packageKey(of application: String, _ version: String) -> String
    {
        "dist/\(application)/\(application)-\(version).tar.gz"
    }

    package nonisolated var catalog: String { bucket.text(of: currentKey) }

    package func current() async throws(StoreError) -> Release? {
        let object: S3Client.Object
        do throws(S3Client.Failure) {
            object = try await client.object(
                currentKey, unless: known?.tag, byteLimit: Release.maximumByteCount)
        } catch {
            throw StoreError(error)
        }
        switch object {
        case .unchanged: return known?.release
        case .missing:
            known = nil
            return nil
        case .found(let bytes, let tag):
            let before = known?.release
            known = nil
            let release = try converting(
                { StoreError.invalid(path: catalog, $0) }, Release(parsing: bytes))
            known = tag.map { ($0, release) }
            if let before { giveUp(before, for: release) }
            return release
        }
    }

    /// Another release is published: what is fetched of the one before need not come any more. Who
    /// still wants it asks again, and the fetch goes on where it has stopped.
    private func giveUp(_ before: Release, for release: Release) {
        let path = packages.path(of: before)
        guard before.id != release.id, path != packages.path(of: release),
            let fetch = fetches[path]
        else { return }
        reports.log(
            .info,
            "Fetching \(before.version) is given up: \(release.version) is published")
        fetch.cancel()
    }

    package func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        let path = packages.path(of: release)
        let fetch = fetches[path] ?? Task { await self.fetched(release, path) }
        fetches[path] = fetch
        let package = try await fetch.value.get()
        given.removeAll { $0 == package.path }
        given = given.suffix(FetchedPackages.keptCount - 1) + [package.path]
        return package
    }

    package func requirePackage(of release: Release) async throws(StoreError) {
        let packages = packages
        let held = try await onDisk(packages.folder) { () throws(FileSystemError) in
            try packages.held(release)
        }
        guard held == nil else { return }
        let key = Self.packageKey(of: application, release.version)
        do throws(S3Client.Failure) {
            try await client.requireObject(key)
        } catch {
            throw StoreError(error)
        }
    }

    /// The package cannot be used: the next call fetches it again.
    package func discard(_ package: LocalPackage) async {
        let (packages, path) = (packages, package.path)
        do throws(FileSystemError) {
            try await loop.offload { () throws(FileSystemError) in try packages.remove(path) }
        } catch {
            reports.log(.warning, "removing \(path): \(error)")
        }
    }

    // MARK: Fetching

    private func fetched(
        _ release: Release, _ path: String
    ) async -> Result<LocalPackage, StoreError> {
        // Whoever asks later begins another one.
        defer { fetches[path] = nil }
        do throws(StoreError) {
            let held = try await onDisk(path) {
                [isPrepared, packages] () throws(FileSystemError) in
                try packages.makeFolder()
                if !isPrepared { try packages.removeRemains() }
                return try packages.held(release)
            }
            isPrepared = true
            if held == nil { try await fetch(release, path) }
            return .success(LocalPackage(path: held ?? path))
        } catch {
            return .failure(error)
        }
    }

    private func fetch(_ release: Release, _ path: String) async throws(StoreError) {
        let packages = packages
        let kept = Set(given.suffix(FetchedPackages.keptCount - 1))
        // What is left of others takes space that this one may need.
        for other in begun.keys where other != path && fetches[other] == nil {
            let file = begun.removeValue(forKey: other)
            await loop.offload { file?.discard() }
        }
        let file =
            begun[path]
            ?? ObjectFile(
                packages.partPath(of: release), files: packages.files, sha256: release.sha256)
        begun[path] = file
        let key = Self.packageKey(of: application, release.version)
        let began = loop.now
        reports.log(.info, "Fetching \(bucket.text(of: key))")
        let watch = Task { await self.report(release, file) }
        do throws(S3Client.Failure) {
            defer { watch.cancel() }
            try await client.fetch(key, into: file)
        } catch {
            reports.progress(nil)
            // Without a beginning there is nothing to go on with.
            if file.progress.byteCount == 0 { begun[path] = nil }
            throw StoreError(error)
        }
        reports.progress(nil)
        begun[path] = nil
        let removed = try await onDisk(path) { () throws(FileSystemError) in
            try packages.keep(release)
            return try packages.clean(keeping: kept)
        }
        reports.log(
            .info,
            "Fetched \(bucket.text(of: key)): \(file.progress.byteCount >> 20) MiB "
                + "in \((loop.now - began).roughText)")
        if !removed.isEmpty {
            reports.log(.info, "Removed older packages: \(removed.joined(separator: ", "))")
        }
    }

    private func report(_ release: Release, _ file: ObjectFile) async {
        var told = loop.now
        while !Task.isCancelled {
            let progress = FetchProgress(
                version: release.version, byteCount: file.progress.byteCount,
                totalByteCount: file.progress.totalByteCount)
            reports.progress(progress)
            if loop.now - told >= .seconds(10) {
                told = loop.now
                reports.log(.info, "Fetching \(release.version): \(progress.text)")
            }
            await loop.sleep(for: .seconds(1))
        }
    }

    private func onDisk<Value: Sendable>(
        _ path: String, _ body: @escaping @Sendable () throws(FileSystemError) -> Value
    ) async throws(StoreError) -> Value {
        do throws(FileSystemError) {
            return try await loop.offload(body)
        } catch {
            throw .unavailable(address: path, reason: "\(error)")
        }
    }
}

extension StoreError {
    init(_ failure: S3Client.Failure) {
        switch failure {
        case .refused(let failure, let object) where failure.isMissing:
            self = .missingPackage(path: object)
        default: self = .unavailable(address: failure.object, reason: failure.reason)
        }
    }
}
