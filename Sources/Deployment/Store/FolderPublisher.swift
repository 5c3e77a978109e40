internal import Glibc
package import Supervisor
package import Transport

/// Publishes into the folder that a ``FolderStore`` reads. It makes missing folders; files become
/// readable for everybody, as deployex may run as another user.
///
/// Publishers in this folder take turns by a lock. Somebody who writes `current.json` with another
/// tool is noticed up to the moment before the rename.
package struct FolderPublisher: ReleasePublisher {
    package let store: FolderStore
    private let files: any FileSystem

    package init(store: FolderStore, files: any FileSystem) {
        self.store = store
        self.files = files
    }

    package var catalog: String { store.currentPath }

    package func publishedSHA256(of release: Release) async throws(PublishError) -> String? {
        let (files, path) = (files, store.packagePath(of: release))
        return try await offload { () throws(PublishError) in
            try Self.attempting { () throws(FileSystemError) in
                guard try files.status(path) != nil else { return nil }
                return Digest.text(try files.sha256(path))
            }
        }
    }

    package func publishedSignature(of release: Release) async throws(PublishError) -> [UInt8]? {
        let (files, path) = (files, signaturePath(of: release))
        return try await offload { () throws(PublishError) in
            try Self.attempting { () throws(FileSystemError) in
                guard try files.status(path) != nil else { return nil }
                return try files.read(path, limit: LocalPackage.maximumSignatureByteCount)
            }
        }
    }

    private func signaturePath(of release: Release) -> String {
        LocalPackage.signaturePath(of: store.packagePath(of: release))
    }

    package func upload(
        _ package: UploadedPackage, of release: Release, signature: [UInt8]?,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws(PublishError) {
        try await offload { () throws(PublishError) in
            try put(package, as: store.packagePath(of: release), signature, progress)
        }
    }

    private func put(
        _ package: UploadedPackage, as path: String, _ signature: [UInt8]?,
        _ progress: (Int64) -> Void
    ) throws(PublishError) {
        let temporary = "\(path).\(getpid()).tmp"
        do throws(PublishError) {
            try Self.attempting { () throws(FileSystemError) in
                try files.makeFolders(store.packageFolder, mode: 0o755)
                try files.removeFile(temporary)
            }
            let digest = try copy(package, to: temporary, progress)
            guard digest == package.sha256 else { throw .changed(path: package.path) }
            try Self.attempting { () throws(FileSystemError) in
                let signaturePath = LocalPackage.signaturePath(of: path)
                if let signature {
                    try files.replaceFile(signaturePath, with: signature, mode: 0o644)
                } else {
                    try files.removeFile(signaturePath)
                }
                try files.rename(temporary, to: path)
                try files.synchronizeFolder(store.packageFolder)
            }
        } catch {
            // The first error is the important one.
            do throws(FileSystemError) { try files.removeFile(temporary) } catch {}
            throw error
        }
    }

    /// Copies the package to a new file and returns the digest of what was copied.
    private func copy(
        _ package: UploadedPackage, to path: String, _ progress: (Int64) -> Void
    ) throws(PublishError) -> String {
        let source = try Self.opened("\(package.path) cannot be read") {
            () throws(SystemError) in try PackageSource.open(package.path)
        }
        do throws(FileSystemError) {
            return try copy(source, package.path, to: path, progress)
        } catch {
            throw .failed("\(error)")
        }
    }

    private func copy(
        _ source: borrowing FileDescriptor, _ sourcePath: String, to path: String,
        _ progress: (Int64) -> Void
    ) throws(FileSystemError) -> String {
        let file = try files.createFile(path, mode: 0o644)
        var digest = Digest(.sha256)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var copied: Int64 = 0
        while true {
            let count = try converting(
                FileSystemError.system, source.read(into: &bytes, "reading \(sourcePath)"))
            guard count > 0 else { break }
            bytes[..<count].withUnsafeBytes { digest.update($0) }
            try file.write(bytes[..<count])
            copied += Int64(count)
            progress(copied)
        }
        try file.finish()
        return Digest.text(digest.value())
    }

    private static func opened(
        _ failure: @autoclosure () -> String, _ open: () throws(SystemError) -> FileDescriptor
    ) throws(PublishError) -> FileDescriptor {
        do throws(SystemError) {
            return try open()
        } catch {
            throw .failed("\(failure()): \(error)")
        }
    }

    package func readCurrent() async throws(PublishError) -> PublishedCurrent? {
        try await offload { () throws(PublishError) in try current() }
    }

    private func current() throws(PublishError) -> PublishedCurrent? {
        try Self.attempting { () throws(FileSystemError) in
            guard try files.status(catalog) != nil else { return nil }
            let bytes = try files.read(catalog, limit: Release.maximumByteCount)
            return PublishedCurrent(bytes: bytes, token: Digest.text(Digest.sha256(bytes)))
        }
    }

    package func swapCurrent(
        to bytes: [UInt8], expecting token: String?
    ) async throws(PublishError) {
        try await offload { () throws(PublishError) in
            let folder = HostFileSystem.folder(of: catalog)
            try Self.attempting { () throws(FileSystemError) in
                try files.makeFolders(folder, mode: 0o755)
            }
            let lock = try Self.opened("\(folder) cannot be locked") {
                () throws(SystemError) in try PackageSource.lock(folder)
            }
            guard try current()?.token == token else { throw .conflict(catalog) }
            try Self.attempting { () throws(FileSystemError) in
                try files.replaceFile(catalog, with: bytes, mode: 0o644)
            }
            _ = consume lock
        }
    }

    private static func attempting<Result: ~Copyable>(
        _ body: () throws(FileSystemError) -> Result
    ) throws(PublishError) -> Result {
        do throws(FileSystemError) {
            return try body()
        } catch {
            throw .failed("\(error)")
        }
    }
}

/// Opening what a publisher reads.
package enum PackageSource {
    /// A regular file, without waiting for the writer of a FIFO.
    package static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        let raw = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard raw >= 0 else { throw .last("opening \(path)") }
        let file = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .last("looking at \(path)") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("opening \(path), which is no regular file", code: EINVAL)
        }
        return file
    }

    /// Waits until nobody else publishes into the folder, until the descriptor is closed.
    static func lock(_ folder: String) throws(SystemError) -> FileDescriptor {
        let raw = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .last("opening \(folder)") }
        let file = FileDescriptor(owning: raw)
        guard flock(file.raw, LOCK_EX) == 0 else { throw .last("locking \(folder)") }
        return file
    }
}
