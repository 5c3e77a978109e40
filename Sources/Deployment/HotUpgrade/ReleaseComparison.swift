internal import ExternalTermFormat
internal import Supervisor

/// Finds what differs between the release that runs and a staged one, and would be left behind by a
/// hot upgrade, which only changes what the relup names. It blocks.
///
/// Code is compared by ``BeamCode``, everything else byte by byte.
struct ReleaseComparison {
    /// The folder of the running release, `current/`.
    var current: String
    /// The folder of the new one, `new/`.
    var staged: String
    var old: ReleaseContents
    var new: ReleaseContents
    var files: any FileSystem

    private static let supervisors: Set<String> = [
        "supervisor", "Elixir.Supervisor", "Elixir.DynamicSupervisor",
    ]
    /// How deep the folders of an application are looked into.
    private static let maximumDepth = 16

    /// Reads what both releases consist of.
    static func read(
        current: String, staged: String, name: String, from: String, to: String,
        files: any FileSystem
    ) throws(FileSystemError) -> ReleaseComparison {
        ReleaseComparison(
            current: current, staged: staged,
            old: try .read(current, name: name, version: from, files: files),
            new: try .read(staged, name: name, version: to, files: files), files: files)
    }

    // MARK: What no relup can change

    /// What takes effect only with a start of the new release's own folder; `nil` if nothing does.
    /// - Parameter takesProtocols: whether the relup will load consolidated protocols.
    func obstacle(
        takesProtocols: Bool = false
    ) throws(FileSystemError) -> UpgradeDecision.Reason? {
        for name in ["env.sh", "vm.args"] {
            let (before, after) = (
                "\(current)/releases/\(old.version)/\(name)",
                "\(staged)/releases/\(new.version)/\(name)"
            )
            guard try isEqual(before, after) else { return .changedSetting(name) }
        }
        if !takesProtocols,
            let path = try difference(
                "\(current)/releases/\(old.version)/consolidated",
                "\(staged)/releases/\(new.version)/consolidated", ofStagedOnly: false)
        {
            return .changedProtocol(Self.module(path))
        }
        for application in new.applications {
            // The node keeps the folder of a version that it has.
            guard old.version(of: application.name) == application.version,
                let library = application.folderName
            else { continue }
            for folder in ["ebin", "priv"] {
                let path = "lib/\(library)/\(folder)"
                // Applications write into their `priv`, such as uploads or the latest time zones.
                let found = try difference(
                    "\(current)/\(path)", "\(staged)/\(path)", ofStagedOnly: folder == "priv")
                if let found { return .changedFile("\(path)/\(found)") }
            }
        }
        return nil
    }

    // MARK: What this relup does not change

    /// Why `relup` would leave something of the old release running; `nil` if it does not.
    /// - Parameter protocols: modules that mix has consolidated: they are not loaded from the
    ///   applications.
    func omission(
        in relup: Relup, besides protocols: Set<String> = []
    ) throws(FileSystemError) -> String? {
        let loaded = relup.loadedModules(from: old.version)
        let asked = relup.changedProcesses(from: old.version)
        for application in new.applications {
            guard let before = old.version(of: application.name), before != application.version,
                let library = application.folderName,
                isPathComponent("\(application.name)-\(before)")
            else { continue }
            let (oldFolder, newFolder) = (
                "\(current)/lib/\(application.name)-\(before)/ebin", "\(staged)/lib/\(library)/ebin"
            )
            let changed = try changedModules(oldFolder, newFolder)
            let missed = changed.filter { !loaded.contains($0) && !protocols.contains($0) }
            guard missed.isEmpty else {
                return "\(application.name) \(application.version): changed, and not loaded: "
                    + listed(missed.sorted())
            }
            let isRestarted = relup.starts(application.name, from: old.version)
            for module in changed where !isRestarted && !asked.contains(module) {
                let path = "\(newFolder)/\(module).beam"
                let bytes = try files.read(path, limit: BeamFile.maximumByteCount)
                if try !BeamFile(bytes).behaviours().isDisjoint(with: Self.supervisors),
                    try files.status("\(oldFolder)/\(module).beam") != nil
                {
                    return "\(application.name) \(application.version): the supervisor \(module) "
                        + "has changed and is only loaded, so that its children stay as they were"
                }
            }
            let file = "\(application.name).app"
            let start = try startCall("\(newFolder)/\(file)")
            let isChanged =
                try start != startCall("\(oldFolder)/\(file)")
                || start.flatMap { $0.asTuple?.first?.asAtom?.name }.map(changed.contains) ?? false
            if isChanged, !isRestarted {
                return "\(application.name) \(application.version): what starts the application "
                    + "has changed, and only a start runs it"
            }
        }
        return nil
    }

    /// The names of modules that are new or run other code.
    private func changedModules(
        _ old: String, _ new: String
    ) throws(FileSystemError) -> [String] {
        var changed: [String] = []
        for name in try list(new) where name.hasSuffix(".beam") {
            if try !isEqual("\(old)/\(name)", "\(new)/\(name)") {
                changed.append(Self.module(name))
            }
        }
        return changed
    }

    /// The key `mod` of an `.app` file: the module that starts the application, and its argument.
    private func startCall(_ path: String) throws(FileSystemError) -> Term? {
        guard
            let bytes = try ErlangFile.read(
                path, limit: ReleaseContents.maximumByteCount, files: files)
        else { return nil }
        return try ApplicationFile(bytes)["mod"]
    }

    // MARK: Files

    /// The first path below two folders at which they differ.
    /// - Parameter ofStagedOnly: what only the running release has is no difference.
    private func difference(
        _ old: String, _ new: String, ofStagedOnly: Bool, depth: Int = 0
    ) throws(FileSystemError) -> String? {
        guard depth < Self.maximumDepth else { throw .unusable("\(new) is too deep") }
        var names = Set(try list(new))
        if !ofStagedOnly { names.formUnion(try list(old)) }
        for name in names.sorted() where !Self.isOfUpgrade(name) {
            let (before, after) = ("\(old)/\(name)", "\(new)/\(name)")
            if try files.status(after)?.kind == .folder, try files.status(before)?.kind == .folder {
                let found = try difference(
                    before, after, ofStagedOnly: ofStagedOnly, depth: depth + 1)
                if let found { return "\(name)/\(found)" }
            } else if try !isEqual(before, after) {
                return name
            }
        }
        return nil
    }

    /// Whether a file is about upgrades themselves, so that no start of the release reads it.
    private static func isOfUpgrade(_ name: String) -> Bool {
        name.hasSuffix(".appup") || name == "jellyfish.json"
    }

    private func list(_ folder: String) throws(FileSystemError) -> [String] {
        guard try files.status(folder)?.kind == .folder else { return [] }
        let names = try files.list(folder)
        guard names.count <= StagedUpgrade.maximumEntryCount else {
            throw .unusable("\(folder) has \(names.count) entries")
        }
        return names
    }

    /// Whether two files hold the same, or neither exists.
    private func isEqual(_ old: String, _ new: String) throws(FileSystemError) -> Bool {
        let (before, after) = (try files.status(old), try files.status(new))
        guard let before, let after else { return before == nil && after == nil }
        guard before.kind == .file, after.kind == .file else { return before.kind == after.kind }
        guard new.hasSuffix(".beam") else {
            guard before.byteCount == after.byteCount else { return false }
            return try files.isSame(old, new)
        }
        let limit = BeamFile.maximumByteCount
        let (first, second) = (
            try files.read(old, limit: limit), try files.read(new, limit: limit)
        )
        if first == second { return true }
        return try BeamCode(first) == BeamCode(second)
    }

    private static func module(_ path: String) -> String {
        path.hasSuffix(".beam") ? String(path.dropLast(5)) : path
    }
}
