package import Supervisor
internal import Synchronization
package import Transport

/// A summary of what was unpacked.
package struct UnpackSummary: Equatable, Sendable {
    package var entryCount: Int
    /// Bytes of all files.
    package var byteCount: Int64
    /// The SHA-256 of the package; `nil` if nothing said what it must be.
    package var sha256: String?

    package init(entryCount: Int, byteCount: Int64) {
        self.entryCount = entryCount
        self.byteCount = byteCount
    }
}

/// How far unpacking has come.
package struct UnpackProgress: Equatable, Sendable {
    /// Bytes of the package read so far, of `packageByteCount`.
    package var readByteCount: Int64
    package var packageByteCount: Int64
    package var entryCount: Int
}

/// Unpacks a release's `tar.gz` into a folder. The folder exists afterwards only as a whole,
/// checked release.
///
/// It works in one pass into a fresh temporary folder beside the wanted one. This folder takes the
/// wanted name once the archive's last byte has been checked. Two passes (check, then extract)
/// would uncompress everything twice and would extract a file that may have changed since it was
/// checked. ``ArchivePolicy`` admits each member before it is written. After any failure the
/// temporary folder is removed. A crash leaves a folder with a name that ``StagingFolder``
/// recognises and removes.
package struct PackageUnpacker: Sendable {
    /// Where folders are made, renamed and removed. ``FolderWriter`` writes the members themselves.
    package let files: any FileSystem
    package var limits = ArchiveLimits()
    /// The user who is to run the release; `nil` for deployex's own.
    package var owner: ProcessUser?
    /// The users who may own the package.
    package var packageOwners = TrustedUsers()
    /// The program in the release that starts it; `nil` for the usual one.
    package var program: String?
    /// The keys that packages must be signed with; `nil` if they need no signature.
    package var publicKeys: PublicKeysFile?

    /// Unpacks off the caller's executor; cancelling the calling task ends it soon.
    /// - Parameters:
    ///   - package: the path of the `tar.gz`.
    ///   - folder: the path that becomes the release; an existing one is replaced.
    ///   - application: the application whose `bin/APP` must be there.
    ///   - version: the version that the package must hold.
    ///   - hash: if given, the folder records which release it holds.
    ///   - sha256: what the package's SHA-256 must be, in lower-case hexadecimal digits.
    ///   - signature: the path of its signature; by default it lies beside the package.
    ///   - preCommands: the commands that belong to the release, which are signed with it.
    ///   - progress: called at the start, every megabyte and at the end, on another thread.
    package func unpack(
        _ package: String, into folder: String, application: String, version: String,
        hash: String = "", sha256: String? = nil, signature: String? = nil,
        preCommands: [String] = [],
        progress: (@Sendable (UnpackProgress) -> Void)? = nil
    ) async throws(UnpackError) -> UnpackSummary {
        let cancellation = Cancellation()
        let job = UnpackJob(
            unpacker: self, package: package,
            signature: signature ?? LocalPackage.signaturePath(of: package),
            staging: StagingFolder(path: folder, files: files),
            layout: ReleaseLayout(
                application: application, version: version, program: program), hash: hash,
            sha256: sha256, preCommands: preCommands, cancellation: cancellation,
            progress: progress)
        let result = await withTaskCancellationHandler {
            await offload { Result { () throws(UnpackError) in try job.run() } }
        } onCancel: {
            cancellation.isCancelled.store(true, ordering: .relaxed)
        }
        return try result.get()
    }
}

extension PackageUnpacker {
    /// Makes `folder` a copy of a release that was unpacked in another one. Off the caller's
    /// executor.
    /// - Parameters:
    ///   - unpacked: that folder. It may have been handed over to the owner since.
    ///   - folder: the path that becomes the release; an existing one is replaced.
    ///   - byteCount: of all files that were unpacked.
    package func copy(
        _ unpacked: String, into folder: String, application: String, version: String,
        hash: String = "", byteCount: Int64
    ) async throws(FileSystemError) {
        let job = UnpackJob(
            unpacker: self, package: "", signature: "",
            staging: StagingFolder(path: folder, files: files),
            layout: ReleaseLayout(
                application: application, version: version, program: program), hash: hash,
            sha256: nil, cancellation: Cancellation(), progress: nil)
        try await offload {
            Result { () throws(FileSystemError) in
                try job.copy(unpacked, byteCount: byteCount)
            }
        }.get()
    }
}

final class Cancellation: Sendable {
    let isCancelled = Atomic(false)
}
