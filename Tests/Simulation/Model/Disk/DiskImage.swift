internal import Glibc
package import Supervisor
internal import Transport

/// A file system as a value: what programs see, and what of it a power cut leaves.
///
/// A file's content is on the disk only after ``synchronize(_:)`` of the file, a change of a folder's
/// entries only after ``synchronizeFolder(_:)`` of that folder; until then a power cut may undo it.
/// Symbolic links are kept and never followed.
///
/// Source: fsync(2); T. Pillai and others, "All File Systems Are Not Created Equal", OSDI 2014.
package struct DiskImage: Sendable {
    typealias Number = Int

    struct Node: Sendable {
        var kind: FileStatus.Kind
        var mode: UInt32
        /// A file's content, or a link's target.
        var bytes: [UInt8] = []
        /// What of a file is on the disk for certain; `nil` when nothing ever was.
        var durableBytes: [UInt8]?
        var entries: [String: Number] = [:]
        var durableEntries: [String: Number] = [:]
    }

    /// Something that happened to one folder's entries, or to two at once.
    struct EntryChange: Sendable {
        struct Part: Sendable {
            var folder: Number
            var name: String
            var node: Number?
        }

        var first: Part
        var second: Part?

        func touches(_ folder: Number) -> Bool {
            first.folder == folder || second?.folder == folder
        }
    }

    static let root: Number = 0
    var nodes = [Node(kind: .folder, mode: 0o755)]
    /// What a power cut may undo, oldest first.
    var pending: [EntryChange] = []
    /// What all files together hold, and 256 bytes for each node.
    private(set) var usedByteCount = 0
    package var capacity = Int.max

    static let nodeByteCount = 256
    /// Shared by all copies of an image, which are used by one thread.
    private let paths = PathNames()

    package init() {}

    init(nodes: [Node], usedByteCount: Int, capacity: Int) {
        self.nodes = nodes
        self.usedByteCount = usedByteCount
        self.capacity = capacity
    }
}

// MARK: Looking

extension DiskImage {
    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        let node = nodes[try self.node(path, "reading \(path)")]
        switch node.kind {
        case .file: break
        case .folder: throw .failure("reading \(path)", EISDIR)
        case .symbolicLink, .other: throw .failure("reading \(path)", ELOOP)
        }
        guard node.bytes.count <= limit else { throw .tooLarge(path: path, limit: limit) }
        return node.bytes
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        let node = nodes[try self.node(path, "listing \(path)")]
        guard node.kind == .folder else { throw .failure("listing \(path)", ENOTDIR) }
        return node.entries.keys.sorted()
    }

    package func status(_ path: String) -> FileStatus? {
        guard let number = find(path) else { return nil }
        let node = nodes[number]
        return FileStatus(
            kind: node.kind, byteCount: Int64(node.bytes.count), mode: node.mode, owner: 0)
    }

    package var availableByteCount: Int { max(0, capacity - usedByteCount) }

    /// The node at `path`; `nil` also where a part of it is no folder.
    func find(_ path: String) -> Number? {
        var number = Self.root
        for name in names(of: path) {
            guard nodes[number].kind == .folder, let next = nodes[number].entries[name] else {
                return nil
            }
            number = next
        }
        return number
    }

    private func node(_ path: String, _ attempt: String) throws(FileSystemError) -> Number {
        guard let number = find(path) else { throw .failure(attempt, missingCode(path)) }
        return number
    }

    /// What is to be removed; `nil` when it is gone.
    private func existing(_ path: String, _ attempt: String) throws(FileSystemError) -> Number? {
        if let number = find(path) { return number }
        guard missingCode(path) == ENOENT else { throw .failure(attempt, ENOTDIR) }
        return nil
    }

    /// Why there is nothing at `path`.
    private func missingCode(_ path: String) -> Int32 {
        var number = Self.root
        for name in names(of: path) {
            guard nodes[number].kind == .folder else { return ENOTDIR }
            guard let next = nodes[number].entries[name] else { return ENOENT }
            number = next
        }
        return ENOENT
    }

    static func names(of path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    private func names(of path: String) -> [String] { paths.names(of: path) }

    /// The folder that holds `path`, and the last name.
    private func place(
        of path: String, _ attempt: String
    ) throws(FileSystemError) -> (folder: Number, name: String) {
        var names = names(of: path)
        guard let name = names.popLast() else { throw .failure(attempt, EINVAL) }
        var number = Self.root
        for name in names {
            guard nodes[number].kind == .folder else { throw .failure(attempt, ENOTDIR) }
            guard let next = nodes[number].entries[name] else { throw .failure(attempt, ENOENT) }
            number = next
        }
        guard nodes[number].kind == .folder else { throw .failure(attempt, ENOTDIR) }
        return (number, name)
    }
}

// MARK: Changing

extension DiskImage {
    /// Makes a file, a folder or a link that must not exist yet.
    mutating func make(
        _ path: String, _ kind: FileStatus.Kind, mode: UInt32, bytes: [UInt8] = [],
        _ attempt: String
    ) throws(FileSystemError) -> Number {
        let (folder, name) = try place(of: path, attempt)
        guard nodes[folder].entries[name] == nil else { throw .failure(attempt, EEXIST) }
        let needed = Self.nodeByteCount + bytes.count
        guard availableByteCount >= needed else { throw .failure(attempt, ENOSPC) }
        usedByteCount += needed
        let number = nodes.count
        nodes.append(Node(kind: kind, mode: mode, bytes: bytes))
        // A link's target stands in its node.
        if kind == .symbolicLink { nodes[number].durableBytes = bytes }
        change(.init(folder: folder, name: name, node: number))
        return number
    }

    package mutating func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        let attempt = "making the folder \(path)"
        if let number = find(path) {
            guard nodes[number].kind == .folder else { throw .failure(attempt, EEXIST) }
            return
        }
        _ = try make(path, .folder, mode: mode, attempt)
    }

    /// Appends what there is room for; throws when that is not all.
    mutating func append(
        _ bytes: ArraySlice<UInt8>, to number: Number, _ attempt: String
    ) throws(FileSystemError) {
        let fitting = bytes.prefix(availableByteCount)
        nodes[number].bytes += fitting
        usedByteCount += fitting.count
        guard fitting.count == bytes.count else { throw .failure(attempt, ENOSPC) }
    }

    /// Writes over a file's first bytes and makes them durable: only what makes it longer needs space.
    mutating func overwriteInPlace(
        _ path: String, with bytes: ArraySlice<UInt8>
    ) throws(FileSystemError) {
        let attempt = "writing \(path)"
        let number = try node(path, attempt)
        guard nodes[number].kind == .file else { throw .failure(attempt, EISDIR) }
        let inPlace = min(bytes.count, nodes[number].bytes.count)
        nodes[number].bytes.replaceSubrange(..<inPlace, with: bytes.prefix(inPlace))
        try append(bytes.dropFirst(inPlace), to: number, attempt)
        synchronize(number)
    }

    /// What another program does that truncates a file and writes it anew: nothing of it is synced.
    package mutating func overwrite(
        _ path: String, with bytes: [UInt8]
    ) throws(FileSystemError) {
        let attempt = "writing \(path)"
        let number: Number
        if let existing = find(path) {
            number = existing
        } else {
            number = try make(path, .file, mode: 0o644, attempt)
        }
        usedByteCount -= nodes[number].bytes.count
        nodes[number].bytes = []
        try append(bytes[...], to: number, attempt)
    }

    package mutating func rename(
        _ source: String, to destination: String
    ) throws(FileSystemError) {
        let attempt = "renaming \(source) to \(destination)"
        let (from, name) = try place(of: source, attempt)
        let (to, newName) = try place(of: destination, attempt)
        guard let moved = nodes[from].entries[name] else { throw .failure(attempt, ENOENT) }
        guard !contains(to, below: moved) else { throw .failure(attempt, EINVAL) }
        if let replaced = nodes[to].entries[newName] {
            guard replaced != moved else { return }
            switch (nodes[moved].kind == .folder, nodes[replaced].kind == .folder) {
            case (true, false): throw .failure(attempt, ENOTDIR)
            case (false, true): throw .failure(attempt, EISDIR)
            case (true, true) where !nodes[replaced].entries.isEmpty:
                throw .failure(attempt, ENOTEMPTY)
            case (true, true), (false, false): release(replaced)
            }
        }
        change(
            .init(folder: from, name: name, node: nil),
            .init(folder: to, name: newName, node: moved))
    }

    package mutating func exchange(
        _ first: String, _ second: String
    ) throws(FileSystemError) {
        let attempt = "exchanging \(first) and \(second)"
        let (left, leftName) = try place(of: first, attempt)
        let (right, rightName) = try place(of: second, attempt)
        guard let one = nodes[left].entries[leftName], let other = nodes[right].entries[rightName]
        else { throw .failure(attempt, ENOENT) }
        guard !contains(right, below: one), !contains(left, below: other) else {
            throw .failure(attempt, EINVAL)
        }
        change(
            .init(folder: left, name: leftName, node: other),
            .init(folder: right, name: rightName, node: one))
    }

    package mutating func removeFile(_ path: String) throws(FileSystemError) {
        let attempt = "removing \(path)"
        guard let number = try existing(path, attempt) else { return }
        guard nodes[number].kind != .folder else { throw .failure(attempt, EISDIR) }
        let (folder, name) = try place(of: path, attempt)
        remove(name, from: folder)
    }

    /// Removes a tree, or only the first `limit` of its nodes, the deepest first.
    package mutating func removeTree(
        _ path: String, limit: Int = .max
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        guard try existing(path, attempt) != nil else { return }
        let (folder, name) = try place(of: path, attempt)
        var rest = limit
        removeTree(name, in: folder, limit: &rest)
    }

    private mutating func removeTree(_ name: String, in folder: Number, limit: inout Int) {
        guard let number = nodes[folder].entries[name] else { return }
        for entry in nodes[number].entries.keys.sorted() {
            removeTree(entry, in: number, limit: &limit)
        }
        guard limit > 0 else { return }
        limit -= 1
        remove(name, from: folder)
    }

    /// How many nodes there are at `path` and below.
    func nodeCount(_ path: String) -> Int {
        find(path).map(nodeCount) ?? 0
    }

    private func nodeCount(below number: Number) -> Int {
        1 + nodes[number].entries.values.reduce(0) { $0 + nodeCount(below: $1) }
    }

    private mutating func remove(_ name: String, from folder: Number) {
        guard let number = nodes[folder].entries[name] else { return }
        release(number)
        change(.init(folder: folder, name: name, node: nil))
    }

    private mutating func release(_ number: Number) {
        usedByteCount -= Self.nodeByteCount + nodes[number].bytes.count
    }

    private func contains(_ number: Number, below ancestor: Number) -> Bool {
        number == ancestor
            || nodes[ancestor].entries.values.contains { contains(number, below: $0) }
    }

    private mutating func change(_ first: EntryChange.Part, _ second: EntryChange.Part? = nil) {
        nodes[first.folder].entries[first.name] = first.node
        if let second { nodes[second.folder].entries[second.name] = second.node }
        pending.append(EntryChange(first: first, second: second))
    }
}

extension FileSystemError {
    static func failure(_ attempt: String, _ code: Int32) -> FileSystemError {
        .system(SystemError(attempt, code: code))
    }
}

/// Remembers how paths are split: there are few, and each is looked up thousands of times.
///
/// The invariant behind `@unchecked Sendable`: a world runs on one thread.
private final class PathNames: @unchecked Sendable {
    private var known: [String: [String]] = [:]

    func names(of path: String) -> [String] {
        if let names = known[path] { return names }
        if known.count > 10_000 { known = [:] }
        let names = DiskImage.names(of: path)
        known[path] = names
        return names
    }
}
