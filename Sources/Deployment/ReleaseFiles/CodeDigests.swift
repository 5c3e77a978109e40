internal import Supervisor

/// The digests of a release's code by module: what `Module:module_info(md5)` says on a node that
/// runs it. A protocol has one in its library, and another where mix has consolidated it.
struct CodeDigests: Equatable, Sendable {
    private var digests: [String: Set<[UInt8]>] = [:]

    init() {}

    /// Whether the release has this code of the module.
    func has(_ module: String, _ digest: [UInt8]) -> Bool {
        digests[module]?.contains(digest) ?? false
    }

    /// Whether the release has the module with other code only.
    func contradicts(_ module: String, _ digest: [UInt8]) -> Bool {
        digests[module].map { !$0.contains(digest) } ?? false
    }

    /// The modules that come, change and go with `other`. They are sorted.
    func changes(to other: CodeDigests) -> (added: [String], changed: [String], removed: [String]) {
        let (old, new) = (digests, other.digests)
        return (
            new.keys.filter { old[$0] == nil }.sorted(),
            new.filter { old[$0.key].map { [new = $0.value] in $0 != new } ?? false }.keys.sorted(),
            old.keys.filter { new[$0] == nil }.sorted()
        )
    }

    mutating func insert(_ digest: [UInt8], of module: String) {
        digests[module, default: []].insert(digest)
    }

    mutating func formUnion(_ other: CodeDigests) {
        digests.merge(other.digests) { $0.union($1) }
    }

    /// Of the modules in `folder`. None if there is no such folder. It blocks.
    static func read(_ folder: String, files: any FileSystem) throws(FileSystemError) -> CodeDigests
    {
        var found = CodeDigests()
        guard try files.status(folder)?.kind == .folder else { return found }
        for name in try files.list(folder) where name.hasSuffix(".beam") {
            let path = "\(folder)/\(name)"
            let bytes = try files.read(path, limit: BeamFile.maximumByteCount)
            do throws(FileSystemError) {
                found.insert(try BeamCode(bytes).digest, of: String(name.dropLast(5)))
            } catch {
                throw .unusable("\(path): \(error)")
            }
        }
        return found
    }

    /// Of all modules of two releases. A library that both have is read once: it is the same in
    /// both. It blocks.
    static func read(
        _ old: ReleaseContents, in current: String, _ new: ReleaseContents, in staged: String,
        files: any FileSystem
    ) throws(FileSystemError) -> (before: CodeDigests, after: CodeDigests) {
        var (before, after) = (CodeDigests(), CodeDigests())
        var shared: [String: CodeDigests] = [:]
        for application in new.applications {
            guard let library = application.folderName else { continue }
            let found = try read("\(staged)/lib/\(library)/ebin", files: files)
            shared[library] = found
            after.formUnion(found)
        }
        for application in old.applications {
            guard let library = application.folderName else { continue }
            if let found = shared[library] {
                before.formUnion(found)
            } else {
                before.formUnion(try read("\(current)/lib/\(library)/ebin", files: files))
            }
        }
        try before.formUnion(
            read("\(current)/releases/\(old.version)/consolidated", files: files))
        try after.formUnion(read("\(staged)/releases/\(new.version)/consolidated", files: files))
        return (before, after)
    }
}
