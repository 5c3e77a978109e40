internal import Glibc
internal import Supervisor
internal import Synchronization
internal import Transport

/// One unpacking, on a thread that may block.
struct UnpackJob: Sendable {
    var unpacker: PackageUnpacker
    var package: String
    /// The path of the package's signature.
    var signature: String
    var staging: StagingFolder
    var layout: ReleaseLayout
    var hash: String
    var sha256: String?
    var preCommands: [String] = []
    var cancellation: Cancellation
    var progress: (@Sendable (UnpackProgress) -> Void)?

    func run() throws(UnpackError) -> UnpackSummary {
        try converting({ UnpackError(package: package, reason: $0) }, unpack())
    }

    private func unpack() throws(UnpackFailure) -> UnpackSummary {
        var file = try PackageFile(package, owners: unpacker.packageOwners)
        // Nothing of a package that is not the published one is looked at.
        let approved = try approved(&file)
        let temporary = try converting(UnpackFailure.system, staging.makeTemporary())
        do throws(UnpackFailure) {
            let summary = try fill(temporary, from: &file, approved)
            try converting(UnpackFailure.system, put(temporary))
            return summary
        } catch {
            // The first error is the important one; the next start removes a leftover.
            try? unpacker.files.removeTree(temporary)
            throw error
        }
    }

    /// Fills the folder with a copy of what was unpacked in another one, and checked there.
    /// - Parameter byteCount: of all files that were unpacked there.
    func copy(_ unpacked: String, byteCount: Int64) throws(FileSystemError) {
        let temporary = try staging.makeTemporary()
        do throws(FileSystemError) {
            var owners: Set<UInt32> = [geteuid()]
            if let user = unpacker.owner { owners.insert(user.id) }
            let copy = TreeCopy(owners: owners, omitting: [ReleaseMarker.name, "tmp"])
            guard try copy.copy(unpacked, to: temporary) == byteCount else {
                throw .unusable("\(unpacked) is not as it was unpacked")
            }
            try FolderAccess.set(temporary, mode: 0o755)
            try put(temporary)
        } catch {
            // The first error is the important one; the next start removes a leftover.
            try? unpacker.files.removeTree(temporary)
            throw error
        }
    }

    private func put(_ temporary: String) throws(FileSystemError) {
        let release = DeployedRelease(
            version: layout.version, hash: hash, deployment: .fullDeployment)
        try layout.completeShipment(temporary, files: unpacker.files)
        try ReleaseMarker.put(release, in: temporary, files: unpacker.files)
        try ReleaseOwnership(user: unpacker.owner).handOver(temporary)
        try staging.put(temporary)
    }

    private func fill(
        _ temporary: String, from file: inout PackageFile, _ approved: String?
    ) throws(UnpackFailure) -> UnpackSummary {
        var extraction = ArchiveExtraction(
            writer: try FolderWriter(temporary), limits: unpacker.limits)
        var digest = approved == nil ? nil : Digest(.sha256)
        try uncompress(&file, into: &extraction, &digest)
        // Its owner may have written to it since the first look: what was unpacked counts.
        if let found = digest.take()?.value(), Digest.text(found) != approved { throw .changed }
        try extraction.finish(expecting: layout)
        report(file, extraction.summary.entryCount)
        var summary = extraction.summary
        summary.sha256 = approved
        return summary
    }

    private func uncompress(
        _ file: inout PackageFile, into extraction: inout ArchiveExtraction,
        _ digest: inout Digest?
    ) throws(UnpackFailure) {
        var inflater = try converting(
            UnpackFailure.damaged, GzipInflater(limit: unpacker.limits.byteCount))
        var output = [UInt8](repeating: 0, count: 256 << 10)
        var reportAt: Int64 = 0
        while true {
            if file.readByteCount >= reportAt {
                report(file, extraction.summary.entryCount)
                reportAt = file.readByteCount + 1 << 20
            }
            var input = try file.read()
            guard !input.isEmpty else { break }
            input.withUnsafeBytes { digest?.update($0) }
            while true {
                guard !cancellation.isCancelled.load(ordering: .relaxed) else {
                    throw .cancelled
                }
                let count = try converting(
                    UnpackFailure.damaged, inflater.inflate(&input, into: &output))
                guard count > 0 else { break }
                try extraction.take(output[..<count])
            }
        }
        try converting(UnpackFailure.damaged, inflater.finish())
    }

    // MARK: Approval

    /// The SHA-256 of the package, once it is the published one and signed; `nil` if it need be
    /// neither. The file is then at its beginning.
    private func approved(_ file: inout PackageFile) throws(UnpackFailure) -> String? {
        guard sha256 != nil || unpacker.publicKeys != nil else { return nil }
        let signature = try readSignature()
        var digests = PackageDigests()
        while true {
            guard !cancellation.isCancelled.load(ordering: .relaxed) else { throw .cancelled }
            let bytes = try file.read()
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { digests.update($0) }
        }
        try file.rewind()
        let found = digests.values()
        if let sha256, found.sha256 != sha256 {
            throw .wrongDigest(expected: sha256, found: found.sha256)
        }
        let release = SignedRelease(
            application: layout.application, version: layout.version, sha256: found.sha256,
            preCommands: preCommands)
        if let signature {
            try converting(
                UnpackFailure.signature,
                signature.text.verify(
                    found.blake2b512, as: release, by: signature.keys, mayOmitPreCommands: true))
        }
        return found.sha256
    }

    /// The package's signature and the keys that it may be by; `nil` if it needs none.
    private func readSignature() throws(UnpackFailure) -> (
        text: MinisignSignature, keys: [MinisignPublicKey]
    )? {
        guard let publicKeys = unpacker.publicKeys else { return nil }
        do throws(SignatureProblem) {
            let keys = try converting(SignatureProblem.keys, publicKeys.read())
            return (try .read(signature, owners: unpacker.packageOwners), keys)
        } catch {
            throw .signature(error)
        }
    }

    private func report(_ file: borrowing PackageFile, _ entryCount: Int) {
        progress?(
            UnpackProgress(
                readByteCount: file.readByteCount, packageByteCount: file.byteCount,
                entryCount: entryCount))
    }
}

/// The package as bytes from the disk.
struct PackageFile: ~Copyable {
    let byteCount: Int64
    private(set) var readByteCount: Int64 = 0
    private let descriptor: FileDescriptor

    /// - Parameter owners: the users who may own it. An owner of a folder on the way may have
    ///   replaced the package since the store checked it.
    init(_ path: String, owners: TrustedUsers) throws(UnpackFailure) {
        let descriptor: FileDescriptor
        do throws(PathTrustError) {
            descriptor = try PathTrust(users: owners).file(path)
        } catch {
            switch error.reason {
            case .untrusted(.notAFile): throw .notAFile
            case _ where error.isNotFound: throw .missing
            case .untrusted, .link, .tooManyLinks, .system: throw .system(FileSystemError(error))
            }
        }
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw .last("looking at it") }
        guard status.st_size > 0 else { throw .empty }
        self.descriptor = descriptor
        byteCount = Int64(status.st_size)
    }

    /// Goes back to the beginning of the same open file.
    mutating func rewind() throws(UnpackFailure) {
        guard lseek(descriptor.raw, 0, SEEK_SET) == 0 else { throw .last("reading it again") }
        readByteCount = 0
    }

    /// The next bytes; none at the end.
    mutating func read() throws(UnpackFailure) -> ArraySlice<UInt8> {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = try converting(
            { UnpackFailure.system(.system($0)) }, descriptor.read(into: &bytes, "reading it"))
        readByteCount += Int64(count)
        return bytes[..<count]
    }
}
