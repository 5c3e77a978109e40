package import Supervisor

/// The releases of one instance on disk: which folder holds which, and the moves between them.
///
/// Each move is: journal, one exchange of two names as the commit, the files that describe it,
/// journal removed. ``recover()`` completes a move whose exchange has happened and undoes one whose
/// exchange has not. `current` is one whole release at any time after the first deployment.
///
/// A move only sets aside the folders that it no longer needs, because an instance or a start waits
/// for it. ``clean()`` removes them.
///
/// All of it blocks: callers `offload` it.
package struct InstanceState: Sendable {
    package let layout: DeploymentLayout
    package let instance: InstanceNumber
    let files: any FileSystem

    var folder: String { layout.instanceFolder(instance) }
    var new: String { layout.new(instance) }
    var current: String { layout.current(instance) }
    var previous: String { layout.previous(instance) }

    /// Makes the folders that are missing.
    package func prepare() throws(FileSystemError) {
        try files.makeFolders(folder, mode: 0o700)
        try files.makeFolders(layout.versionFolder(instance), mode: 0o700)
    }

    private var staging: StagingFolder { StagingFolder(path: new, files: files) }
    /// The place where folders wait for their removal, under a name that a start clears.
    private var discarded: StagingFolder { StagingFolder(path: previous, files: files) }

    // MARK: Moves

    /// `current` becomes `previous` and `new` becomes `current`.
    package func promote(to release: DeployedRelease) throws(FileSystemError) {
        try completeMove()
        let from = try deployed(in: current)
        try begin(InstanceJournal(operation: .promote, from: from, to: release))
        try ReleaseMarker.replace(release, in: new, files: files)
        if try files.status(current) == nil {
            try files.rename(new, to: current)
        } else {
            try files.exchange(new, current)
        }
        try files.synchronizeFolder(folder)
        try completePromotion(from, release)
    }

    /// The steps that follow the exchange; they may be repeated.
    func completePromotion(
        _ from: DeployedRelease?, _ release: DeployedRelease
    ) throws(FileSystemError) {
        // Something else may have been staged there since the exchange.
        if let from, try deployed(in: new)?.id == from.id {
            try discarded.setAside()
            try files.rename(new, to: previous)
            try files.synchronizeFolder(folder)
        }
        try describe(current: release, previous: from)
        try end()
    }

    /// `previous` becomes `current` again, and the release that was in `current` is removed.
    /// - Returns: the release that is current now.
    package func revert(to id: ReleaseID) throws(FileSystemError) -> DeployedRelease {
        try completeMove()
        guard let from = try deployed(in: current) else { throw Self.notDeployed(current) }
        if let before = try deployed(in: previous), before.id == id {
            try begin(InstanceJournal(operation: .revert, from: from, to: before))
            try files.exchange(previous, current)
            try files.synchronizeFolder(folder)
            try completeReversion(before)
            return before
        }
        let release = DeployedRelease(
            version: id.version, hash: id.hash, deployment: .fullDeployment)
        guard try bootsInPlace(id.version) else { throw Self.notDeployed(previous) }
        try begin(InstanceJournal(operation: .revertInPlace, from: from, to: release))
        try completeReversionInPlace(release)
        return release
    }

    private static func notDeployed(_ path: String) -> FileSystemError {
        .unusable("\(path) does not hold the release that is looked for")
    }

    func completeReversion(_ release: DeployedRelease) throws(FileSystemError) {
        try discarded.setAside()
        try files.synchronizeFolder(folder)
        try describe(current: release, previous: nil)
        try end()
    }

    /// Whether `current`, upgraded in place, still holds that release whole enough to boot it.
    private func bootsInPlace(_ version: String) throws(FileSystemError) -> Bool {
        guard isPathComponent(version) else { return false }
        let folder = "\(current)/releases/\(version)"
        return try files.status("\(folder)/start.boot")?.kind == .file
    }

    func completeReversionInPlace(_ release: DeployedRelease) throws(FileSystemError) {
        let erts = try boots(current)?.erts ?? ""
        try StartErlData(erts: erts, release: release.version).write(in: current, files: files)
        // RELEASES still names another release as permanent. The start writes it anew first.
        try ReleaseMarker.replace(release, in: current, files: files)
        try describe(current: release, previous: nil)
        try end()
    }

    /// Notes that the node in `current` is about to be upgraded to `release` in place.
    package func beginHotUpgrade(to release: DeployedRelease) throws(FileSystemError) {
        try completeMove()
        try begin(
            InstanceJournal(
                operation: .hotUpgrade, from: try deployed(in: current), to: release))
    }

    /// Notes that the node has been upgraded. The release that was current is now the previous one.
    package func recordHotUpgrade(
        to release: DeployedRelease, from replaced: DeployedRelease?
    ) throws(FileSystemError) {
        // `make_permanent` writes without fsync: its files must be on the disk before this note.
        try files.synchronizeFileSystem(holding: current)
        try ReleaseMarker.replace(release, in: current, files: files)
        try describe(current: release, previous: replaced)
        try end()
    }

    /// Notes that the node has not been upgraded.
    package func abandonHotUpgrade() throws(FileSystemError) {
        try end()
    }

    /// Sets the staged release aside, as a move does.
    func setStagedAside() throws(FileSystemError) {
        try staging.setAside()
    }

    /// Completes or forgets a move that an error has cut off. Call it before any other work on the
    /// folders.
    package func completeMove() throws(FileSystemError) {
        guard let journal = try journal(), journal.operation != .hotUpgrade else { return }
        var found = Found()
        try settle(journal, isRunning: false, &found)
    }

    /// The release in `current`, as its own marker or a move that was cut off describes it.
    package func standing() throws(FileSystemError) -> DeployedRelease? {
        // The marker is changed after the file that says what boots.
        if let journal = try journal(), journal.operation == .revertInPlace,
            try boots(current)?.release == journal.to.version
        {
            return journal.to
        }
        return try deployed(in: current)
    }

    /// Removes the staged release.
    package func discardStaged() throws(FileSystemError) {
        try staging.remove()
    }

    /// Removes the folders that were set aside with their contents, and files that a killed process
    /// was writing.
    package func clean() throws(FileSystemError) {
        let files = [
            layout.journal(instance), layout.currentVersion(instance),
            layout.previousVersion(instance),
        ]
        for path in files { try self.files.removeFile(path + ".tmp") }
        try staging.cleanLeftovers()
        try discarded.cleanLeftovers()
    }

    // MARK: The journal and the version files

    /// The move under way; `nil` if there is none or its journal is damaged.
    func journal() throws(FileSystemError) -> InstanceJournal? {
        try StateFile.read(
            InstanceJournal.self, layout.journal(instance), files: files
        ).value
    }

    private func begin(_ journal: InstanceJournal) throws(FileSystemError) {
        try files.replaceFile(
            layout.journal(instance), with: StateFile.bytes(of: journal))
    }

    func end() throws(FileSystemError) {
        try files.removeFileDurably(layout.journal(instance))
    }

    func describe(
        current: DeployedRelease, previous: DeployedRelease?
    ) throws(FileSystemError) {
        if let previous {
            try files.replaceFile(
                layout.previousVersion(instance), with: StateFile.bytes(of: previous))
        } else {
            try files.removeFileDurably(layout.previousVersion(instance))
        }
        try files.replaceFile(
            layout.currentVersion(instance), with: StateFile.bytes(of: current))
    }
}
