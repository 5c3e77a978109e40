internal import Glibc
internal import Transport

/// Takes the bytes of a tar archive and writes its members, each after the policy has admitted it.
struct ArchiveExtraction: ~Copyable {
    private struct OpenFile: ~Copyable {
        var descriptor: FileDescriptor
        var path: ArchivePath
        var mode: UInt32
        var modified: Int64
    }

    private var writer: FolderWriter
    private var members: ArchiveMembers
    private var file: OpenFile?
    private(set) var summary = UnpackSummary(entryCount: 0, byteCount: 0)

    init(writer: consuming FolderWriter, limits: ArchiveLimits) {
        self.writer = writer
        members = ArchiveMembers(limits: limits)
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(UnpackFailure) {
        var piece = bytes
        while let event = try members.next(&piece) {
            switch event {
            case .member(let entry, let placement): try begin(entry, placement)
            case .contents(let bytes): try append(bytes)
            case .endOfMember: try endFile()
            }
        }
    }

    /// Ends the archive's bytes, and makes the checks that need the whole archive.
    mutating func finish(expecting layout: ReleaseLayout) throws(UnpackFailure) {
        try members.finish()
        try layout.check(writer.descriptor)
        guard fchmod(writer.descriptor, 0o755) == 0 else {
            throw .last("setting the mode of the new folder")
        }
    }

    private mutating func begin(
        _ entry: TarEntry, _ placement: ArchivePolicy.Placement
    ) throws(UnpackFailure) {
        summary.entryCount += 1
        switch placement {
        case .root: break
        case .folder(let path, let mode): try writer.makeFolder(path, mode: mode)
        case .file(let path, let mode, let replaces):
            file = OpenFile(
                descriptor: try writer.makeFile(path, replaces: replaces), path: path,
                mode: mode, modified: entry.modified)
        case .symbolicLink(let path, let target, let replaces):
            try writer.makeSymbolicLink(path, target: target, replaces: replaces)
        case .hardLink(let path, let target?, let replaces):
            try writer.makeHardLink(path, target: target, replaces: replaces)
        case .hardLink(_, nil, _): break
        }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) throws(UnpackFailure) {
        guard let open = file.take() else { return }
        try writer.append(bytes, to: open.descriptor, path: open.path)
        summary.byteCount += Int64(bytes.count)
        file = consume open
    }

    private mutating func endFile() throws(UnpackFailure) {
        guard let open = file.take() else { return }
        try writer.finish(
            open.descriptor, path: open.path, mode: open.mode, modified: open.modified)
    }
}
