internal import Glibc
package import Supervisor
package import TestKit

// What reaches the disk, and when.

extension DiskImage {
    /// Makes a file's content durable, not its name.
    mutating func synchronize(_ number: Number) {
        nodes[number].durableBytes = nodes[number].bytes
    }

    /// Makes every change of the folder's entries durable, and with a rename between two folders what
    /// came before it in the other one.
    package mutating func synchronizeFolder(_ path: String) throws(FileSystemError) {
        guard let number = find(path), nodes[number].kind == .folder else {
            throw .failure("making \(path) durable", find(path) == nil ? ENOENT : ENOTDIR)
        }
        var concerned = [number]
        let included = Array(
            pending.reversed().map { change in
                guard concerned.contains(where: change.touches) else { return false }
                concerned.append(change.first.folder)
                if let second = change.second { concerned.append(second.folder) }
                return true
            }
            .reversed())
        var rest: [EntryChange] = []
        for (change, isIncluded) in zip(pending, included) {
            if isIncluded { persist(change) } else { rest.append(change) }
        }
        pending = rest
    }

    /// Makes everything durable, as syncfs(2) does, and the kernel by itself after half a minute.
    package mutating func synchronizeAll() {
        for change in pending { persist(change) }
        pending = []
        for number in nodes.indices where nodes[number].kind == .file {
            nodes[number].durableBytes = nodes[number].bytes
        }
    }

    private mutating func persist(_ change: EntryChange) {
        nodes[change.first.folder].durableEntries[change.first.name] = change.first.node
        if let second = change.second {
            nodes[second.folder].durableEntries[second.name] = second.node
        }
    }
}

extension DiskImage {
    /// What of the unsynced changes a power cut leaves.
    package enum Survival: Sendable, CaseIterable {
        /// Nothing but what was synced.
        case synced
        /// Every change of entries, though not every file's content: metadata outruns data.
        case allEntries
        /// The entries as they were at one moment, as with one journal for all folders.
        case oneMoment
        /// Each folder's entries as they were at a moment of its own.
        case eachFolderItsMoment
    }

    /// What is found after the power has come back. All of it is durable.
    package func afterPowerCut(
        _ survival: Survival, using random: inout SeededRandom
    ) -> DiskImage {
        var disk = self
        let moment = random.int(0...pending.count)
        var cutFolders: [Number] = []
        for (index, change) in pending.enumerated() {
            let survives: Bool =
                switch survival {
                case .synced: false
                case .allEntries: true
                case .oneMoment: index < moment
                case .eachFolderItsMoment: random.chance(70)
                }
            // Within a folder nothing overtakes anything.
            if survives, !cutFolders.contains(where: change.touches) {
                disk.persist(change)
            } else {
                cutFolders.append(change.first.folder)
                if let second = change.second { cutFolders.append(second.folder) }
            }
        }
        return disk.onlyDurable(using: &random)
    }

    /// Rebuilds the tree from the durable entries.
    private func onlyDurable(using random: inout SeededRandom) -> DiskImage {
        var kept: [Node] = []
        var numbers: [Number: Number] = [:]
        var used = 0
        func keep(_ number: Number, _ random: inout SeededRandom) -> Number {
            // A rename that is half on the disk would show one node twice; none is.
            if let known = numbers[number] { return known }
            let new = kept.count
            numbers[number] = new
            var node = nodes[number]
            if node.kind == .file { node.bytes = Self.content(of: node, using: &random) }
            node.durableBytes = node.bytes
            kept.append(node)
            if number != Self.root { used += Self.nodeByteCount + node.bytes.count }
            var entries: [String: Number] = [:]
            for name in node.durableEntries.keys.sorted() {
                guard let child = node.durableEntries[name] else { continue }
                entries[name] = keep(child, &random)
            }
            kept[new].entries = entries
            kept[new].durableEntries = entries
            return new
        }
        _ = keep(Self.root, &random)
        return DiskImage(nodes: kept, usedByteCount: used, capacity: capacity)
    }

    /// What a file holds that was not synced since it was last written.
    private static func content(of node: Node, using random: inout SeededRandom) -> [UInt8] {
        guard node.bytes != node.durableBytes else { return node.bytes }
        switch random.int(0...4) {
        case 0: return node.bytes
        case 1: return node.durableBytes ?? []
        case 2: return []
        case 3: return Array(node.bytes.prefix(random.int(0...max(0, node.bytes.count - 1))))
        default: return node.bytes.map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
    }
}
