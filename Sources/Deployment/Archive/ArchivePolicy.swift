internal import Transport

/// Why a member of an archive must not be unpacked.
package enum PolicyViolation: Error, Equatable, Sendable {
    case emptyPath
    case absolutePath
    /// A `..` in a member's own name.
    case parentInPath
    case nulInPath
    case pathTooLong
    case pathTooDeep
    /// A link whose target is outside of the folder, directly or through other links.
    case linkLeavesFolder(target: String)
    /// A link that leads back to itself.
    case linkLoop(target: String)
    /// A hard link to something that is not an earlier file of the archive.
    case hardLinkToNothing(target: String)
    /// A member below a symbolic link.
    case throughLink(link: String)
    /// A member below a file.
    case belowFile(file: String)
    /// A member with the path of an earlier one of another kind.
    case conflictsWithEarlier
    /// Folders that members imply are counted as well.
    case tooManyEntries(limit: Int)
    /// All names together are too long.
    case pathsTooLong(limit: Int)
    /// The archive's links together take too many steps to follow.
    case linksTooComplex

    /// What is wrong, as words that fit after the member's name.
    package var text: String {
        switch self {
        case .emptyPath: "has no name"
        case .absolutePath: "has an absolute path"
        case .parentInPath: "has `..` in its path"
        case .nulInPath: "has a NUL byte in its path"
        case .pathTooLong: "has too long a path"
        case .pathTooDeep: "is too many folders deep"
        case .linkLeavesFolder(let target): "links to `\(target)`, outside of the package"
        case .linkLoop(let target): "links to `\(target)`, which leads back to itself"
        case .hardLinkToNothing(let target):
            "is a hard link to `\(target)`, which is not an earlier file of the package"
        case .throughLink(let link): "would be written through the link `\(link)`"
        case .belowFile(let file): "is below `\(file)`, which is no folder"
        case .conflictsWithEarlier: "stands where an earlier entry of another kind is"
        case .tooManyEntries(let limit):
            "is one more than the \(limit) allowed, folders that are only implied counted too"
        case .pathsTooLong(let limit):
            "makes the names of the archive longer than \(limit) bytes together"
        case .linksTooComplex: "links to other links in too complex a way"
        }
    }
}

/// Decides, member by member, which parts of an archive may be written, and where. It does no I/O:
/// it keeps a picture of the folder that the admitted members make.
///
/// Once all members are in, ``finish()`` follows every symbolic link through that picture as the
/// kernel would. That cannot be decided earlier or from the text alone: `b -> a/..` stays inside
/// while `a` is a folder, and leaves when a later member makes `a` a link to the folder itself.
/// Until then nothing can leave, because no member is written through a link.
package struct ArchivePolicy {
    /// What to do for an admitted member.
    package enum Placement: Equatable {
        /// The target folder itself: nothing to do.
        case root
        /// Make the folder, or only set its mode when it exists.
        case folder(ArchivePath, mode: UInt32)
        /// Write a file; `replaces` says that an earlier member has the same name.
        case file(ArchivePath, mode: UInt32, replaces: Bool)
        case symbolicLink(ArchivePath, target: [UInt8], replaces: Bool)
        /// A second name for the file at `target`; `nil` when the two names are the same.
        case hardLink(ArchivePath, target: ArchivePath?, replaces: Bool)
    }

    private enum Node: Equatable {
        case folder
        case file
        case link(target: [UInt8])
    }

    private let limits: ArchiveLimits
    private var nodes: [ArchivePath: Node] = [.root: .folder]
    /// In the archive's order, so that the first bad one is the one reported.
    private var links: [ArchivePath] = []
    package private(set) var entryCount = 0
    /// Folders that members only imply: they cost the disk as much as those that are named.
    private var impliedFolderCount = 0
    /// Bytes of all names that are kept.
    private var keptByteCount = 0

    package init(limits: ArchiveLimits = ArchiveLimits()) {
        self.limits = limits
    }

    /// Folders that no member names get mode `0o755`.
    package mutating func admit(_ entry: TarEntry) throws(PolicyViolation) -> Placement {
        entryCount += 1
        try checkCounts()
        let path = try ArchivePath(entry.path, limits: limits)
        guard path != .root else {
            guard entry.kind == .folder else { throw .emptyPath }
            return .root
        }
        try admitParents(of: path)
        let earlier = nodes[path]
        switch entry.kind {
        case .folder:
            guard earlier == nil || earlier == .folder else { throw .conflictsWithEarlier }
            nodes[path] = .folder
            return .folder(path, mode: Self.folderMode(entry.mode))
        case .file:
            // `mix release` stores a file of an overlay twice: with its folder and by its name.
            guard earlier == nil || earlier == .file else { throw .conflictsWithEarlier }
            nodes[path] = .file
            return .file(path, mode: Self.fileMode(entry.mode), replaces: earlier != nil)
        case .symbolicLink(let target):
            guard !target.isEmpty, target.count <= limits.pathByteCount, !target.contains(0),
                target.first != UInt8(ascii: "/")
            else { throw .linkLeavesFolder(target: printable(target)) }
            switch earlier {
            case nil: links.append(path)
            case .link: break
            case .folder, .file: throw .conflictsWithEarlier
            }
            nodes[path] = .link(target: target)
            return .symbolicLink(path, target: target, replaces: earlier != nil)
        case .hardLink(let target):
            let text = printable(target)
            let targetPath = try converting(
                { (_: PolicyViolation) in PolicyViolation.linkLeavesFolder(target: text) },
                ArchivePath(target, limits: limits))
            guard nodes[targetPath] == .file else { throw .hardLinkToNothing(target: text) }
            try checkParents(of: targetPath)
            guard earlier == nil || earlier == .file else { throw .conflictsWithEarlier }
            nodes[path] = .file
            return .hardLink(
                path, target: targetPath == path ? nil : targetPath, replaces: earlier != nil)
        }
    }

    /// Follows every link.
    /// - Throws: ``UnpackFailure/refused(entry:_:)`` for the first link that leaves the folder.
    package func finish() throws(UnpackFailure) {
        var steps = 1_000_000
        for path in links {
            try converting(
                { UnpackFailure.refused(entry: path.description, $0) },
                follow(path, steps: &steps))
        }
    }

    /// The owner may always read and write the file. Group and others never write it. Set-user,
    /// set-group and sticky bits are dropped.
    static func fileMode(_ mode: UInt32) -> UInt32 { mode & 0o755 | 0o600 }
    static func folderMode(_ mode: UInt32) -> UInt32 { mode & 0o755 | 0o700 }

    private mutating func admitParents(of path: ArchivePath) throws(PolicyViolation) {
        try checkParents(of: path)
        var parent = path.parent
        while nodes[parent] == nil {
            impliedFolderCount += 1
            try checkCounts()
            try keep(parent)
            nodes[parent] = .folder
            parent = parent.parent
        }
        if nodes[path] == nil { try keep(path) }
    }

    private func checkCounts() throws(PolicyViolation) {
        guard entryCount + impliedFolderCount <= limits.entryCount else {
            throw .tooManyEntries(limit: limits.entryCount)
        }
    }

    /// Counts the memory that a name takes while the archive is being unpacked.
    private mutating func keep(_ path: ArchivePath) throws(PolicyViolation) {
        keptByteCount += path.names.reduce(0) { $0 + $1.count }
        guard keptByteCount <= limits.allPathsByteCount else {
            throw .pathsTooLong(limit: limits.allPathsByteCount)
        }
    }

    /// Checks that every folder above `path` exists or may be made.
    private func checkParents(of path: ArchivePath) throws(PolicyViolation) {
        var parent = path.parent
        while parent != .root {
            switch nodes[parent] {
            case nil, .folder: break
            case .file: throw .belowFile(file: parent.description)
            case .link: throw .throughLink(link: parent.description)
            }
            parent = parent.parent
        }
    }

    /// Walks a link's target as the kernel does. Missing names are walked as if they were folders.
    /// Source: path_resolution(7), with its limit of 40 links.
    private func follow(_ link: ArchivePath, steps: inout Int) throws(PolicyViolation) {
        guard case .link(let first) = nodes[link] else { return }
        var place = link.parent
        var linkCount = 1
        // Names still to walk, the next one last.
        var rest = Array(Self.names(first).reversed())
        while let name = rest.popLast() {
            steps -= 1
            guard steps > 0 else { throw .linksTooComplex }
            if name.elementsEqual(".".utf8) { continue }
            if name.elementsEqual("..".utf8) {
                guard place != .root else {
                    throw .linkLeavesFolder(target: printable(first))
                }
                place = place.parent
                continue
            }
            let next = place.appending(Array(name))
            if case .link(let target) = nodes[next] {
                linkCount += 1
                guard linkCount <= 40, rest.count <= limits.pathByteCount else {
                    throw .linkLoop(target: printable(first))
                }
                rest += Self.names(target).reversed()
            } else {
                guard next.names.count <= limits.depth else { throw .pathTooDeep }
                place = next
            }
        }
    }

    private static func names(_ target: [UInt8]) -> [ArraySlice<UInt8>] {
        target.split(separator: UInt8(ascii: "/"))
    }
}
