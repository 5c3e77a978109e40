internal import Glibc
internal import Supervisor
internal import Transport

/// Takes the bytes of a tar archive and writes its members, each after the policy has admitted it.
struct ArchiveExtraction: ~Copyable {
    private struct OpenFile: ~Copyable {
        var descriptor: FileDescriptor
        var path: ArchivePath
        var mode: UInt32
        var modified: Int64
    }

    private let package: String
    private var writer: FolderWriter
    private var reader: TarReader
    private var policy: ArchivePolicy
    private var file: OpenFile?
    private(set) var summary = UnpackSummary(entryCount: 0, byteCount: 0)

    init(package: String, writer: consuming FolderWriter, limits: ArchiveLimits) {
        self.package = package
        self.writer = writer
        reader = TarReader(limits: limits)
        policy = ArchivePolicy(limits: limits)
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(UnpackError) {
        var piece = bytes
        while let event = try next(&piece) {
            switch event {
            case .entry(let entry): try begin(entry)
            case .contents(let bytes): try append(bytes)
            case .endOfEntry: try endFile()
            case .endOfArchive: break
            }
        }
    }

    /// Says that the archive's bytes have ended, and checks what only the whole archive can tell.
    mutating func finish(expecting layout: ReleaseLayout) throws(UnpackError) {
        do throws(TarError) {
            try reader.finish()
        } catch {
            throw .malformed(package: package, error)
        }
        do throws(ArchivePolicy.EntryViolation) {
            try policy.finish()
        } catch {
            throw .refused(package: package, entry: error.entry, error.violation)
        }
        do throws(ReleaseLayout.Mismatch) {
            try layout.check(writer.descriptor)
        } catch {
            throw .wrongPackage(package: package, expected: error.expected, found: error.found)
        }
        guard fchmod(writer.descriptor, 0o755) == 0 else {
            throw .system(package: package, .system(.last("setting the mode of the new folder")))
        }
    }

    private mutating func next(
        _ piece: inout ArraySlice<UInt8>
    ) throws(UnpackError) -> TarReader.Event? {
        do throws(TarError) {
            return try reader.next(&piece)
        } catch {
            throw .malformed(package: package, error)
        }
    }

    private mutating func begin(_ entry: TarEntry) throws(UnpackError) {
        let placement: ArchivePolicy.Placement
        do throws(PolicyViolation) {
            placement = try policy.admit(entry)
        } catch {
            throw .refused(package: package, entry: printable(entry.path), error)
        }
        summary.entryCount += 1
        do throws(SystemError) {
            switch placement {
            case .root: break
            case .folder(let path, let mode): try writer.makeFolder(path, mode: mode)
            case .file(let path, let mode, let replaces):
                file = OpenFile(
                    descriptor: try writer.makeFile(path, replaces: replaces), path: path,
                    mode: mode, modified: entry.modified)
            case .symbolicLink(let path, let target, let replaces):
                try writer.makeSymbolicLink(path, target: target, replaces: replaces)
            case .hardLink(let path, let target, let replaces):
                if let target {
                    try writer.makeHardLink(path, target: target, replaces: replaces)
                }
            }
        } catch {
            throw .system(package: package, .system(error))
        }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) throws(UnpackError) {
        guard let open = file.take() else { return }
        do throws(SystemError) {
            try writer.append(bytes, to: open.descriptor, path: open.path)
        } catch {
            throw .system(package: package, .system(error))
        }
        summary.byteCount += Int64(bytes.count)
        file = consume open
    }

    private mutating func endFile() throws(UnpackError) {
        guard let open = file.take() else { return }
        do throws(SystemError) {
            try writer.finish(
                open.descriptor, path: open.path, mode: open.mode, modified: open.modified)
        } catch {
            throw .system(package: package, .system(error))
        }
    }
}
