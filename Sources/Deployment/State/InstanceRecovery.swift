package import Supervisor

// How a start interprets and repairs the state on disk.

extension InstanceState {
    /// The state that a start of deployex finds, and what was wrong with it.
    package struct Found: Equatable, Sendable {
        package var current: DeployedRelease?
        package var previous: DeployedRelease?
        /// The release to which the running node was being upgraded in place, if that was
        /// interrupted.
        package var interruptedUpgrade: DeployedRelease?
        /// Lines for the log.
        package var findings: [String] = []
    }

    /// Completes or undoes the change under way, and reads which release is in which folder. Call
    /// it only at start, before any other work on these folders.
    /// - Parameter isRunning: whether the instance's process runs.
    package func recover(isRunning: Bool) throws(FileSystemError) -> Found {
        var found = Found()
        let journal = try StateFile.take(
            InstanceJournal.self, layout.journal(instance), files: files,
            findings: &found.findings)
        if !isRunning { try repairBoot(&found) }
        if let journal { try settle(journal, isRunning: isRunning, &found) }
        // Nothing refers to the staged release any more: the next deployment stages anew.
        if found.interruptedUpgrade == nil { try setStagedAside() }
        try find(isRunning: isRunning, &found)
        // Its files are between two releases; the journal knows the earlier one.
        if found.interruptedUpgrade != nil { found.current = journal?.from ?? found.current }
        return found
    }

    /// Makes `start_erl.data` anew if nothing boots from it, as when a node was cut off while it
    /// made a release permanent.
    private func repairBoot(_ found: inout Found) throws(FileSystemError) {
        try mendBoot(&found)
        guard try lacksBoot() else { return }
        do throws(FileSystemError) {
            // None of deployex's files names a release that is there; RELEASES may.
            try ReleasesFile.write(for: current, name: layout.application, files: files)
            found.findings.append("\(current)/\(StartErlData.path) was damaged: made anew")
        } catch {
            found.findings.append("\(error)")
        }
    }

    /// Makes `releases/start_erl.data` in `current` anew if it names no release that is there. A
    /// node truncates the file to write it, so a full disk or a power cut leaves it empty, cut or
    /// garbage. The new file names the release from which an unfinished hot upgrade began, or else
    /// the one on record.
    private func mendBoot(_ found: inout Found) throws(FileSystemError) {
        guard try lacksBoot() else { return }
        let journal = try journal()
        let recorded = try StateFile.read(
            DeployedRelease.self, layout.currentVersion(instance),
            files: files
        ).value
        let marked = try ReleaseMarker.read(in: current, files: files)
        for release in [journal?.from, journal?.to, marked, recorded] {
            guard let version = release?.version, try holds(version, in: current),
                let erts = try ertsVersion(of: version)
            else { continue }
            let path = "\(current)/\(StartErlData.path)"
            do throws(FileSystemError) {
                try StartErlData(erts: erts, release: version).write(in: current, files: files)
            } catch {
                // With too little space, a later attempt will succeed. Otherwise the application's
                // user has caused it, for example by a folder of that name: then nothing boots
                // here, and it is deployed anew.
                if case .stopped = error { throw error }
                if error.isFull { throw error }
                found.findings.append("\(path) is damaged and cannot be made anew: \(error)")
                return
            }
            found.findings.append("\(path) was damaged: \(version) boots")
            return
        }
    }

    /// Settles the remains of an upgrade in place, and returns the release that boots. Call it
    /// before the instance is started.
    package func prepareBoot() throws(FileSystemError) -> Found {
        var found = Found()
        try mendBoot(&found)
        if let journal = try journal(), journal.operation == .hotUpgrade {
            try settle(journal, isRunning: false, &found)
        }
        found.current = try standing()
        return found
    }

    private func holds(_ version: String, in folder: String) throws(FileSystemError) -> Bool {
        guard isPathComponent(version) else { return false }
        return try files.status("\(folder)/releases/\(version)")?.kind == .folder
    }

    /// The ERTS version that the release's `.rel` file names, or else that of the only ERTS there.
    private func ertsVersion(of version: String) throws(FileSystemError) -> String? {
        do throws(FileSystemError) {
            return try ReleaseContents.read(
                current, name: layout.application, version: version, files: files
            ).ertsVersion
        } catch {
            let folders = try files.list(current).filter { $0.hasPrefix("erts-") }
            return folders.count == 1 ? String(folders[0].dropFirst(5)) : nil
        }
    }

    func settle(
        _ journal: InstanceJournal, isRunning: Bool, _ found: inout Found
    ) throws(FileSystemError) {
        if journal.operation == .hotUpgrade, isRunning {
            // Only the node knows which release it runs.
            found.interruptedUpgrade = journal.to
            return
        }
        let isCommitted =
            switch journal.operation {
            case .promote, .revert: try deployed(in: current)?.id == journal.to.id
            case .revertInPlace, .hotUpgrade:
                try boots(current)?.release == journal.to.version
            }
        if isCommitted { try complete(journal) } else { try end() }
        found.findings.append(
            "The change of instance: \(instance) to \(journal.to.version) was interrupted: "
                + (isCommitted ? "completed" : "undone"))
    }

    private func complete(_ journal: InstanceJournal) throws(FileSystemError) {
        switch journal.operation {
        case .promote: try completePromotion(journal.from, journal.to)
        case .revert: try completeReversion(journal.to)
        case .revertInPlace: try completeReversionInPlace(journal.to)
        case .hotUpgrade: try recordHotUpgrade(to: journal.to, from: journal.from)
        }
    }

    /// Reads the release in `current`. It is the one that boots, so it is right if the version
    /// files differ; these are then made anew.
    private func find(isRunning: Bool, _ found: inout Found) throws(FileSystemError) {
        let recorded = try StateFile.take(
            DeployedRelease.self, layout.currentVersion(instance),
            files: files, findings: &found.findings)
        var before = try StateFile.take(
            DeployedRelease.self, layout.previousVersion(instance),
            files: files, findings: &found.findings)
        guard let standing = try deployed(in: current, recorded: recorded) else {
            // The running node has been booted from it nevertheless.
            guard !isRunning else {
                found.current = recorded
                return
            }
            if recorded != nil || before != nil { try forget(&found) }
            return
        }
        // A release that came by an upgrade in place had its previous release in the same folder.
        if before == nil, standing.deployment == .fullDeployment {
            before = try deployed(in: previous)
        }
        if recorded != standing, found.interruptedUpgrade == nil {
            let text = recorded?.version ?? "no version"
            found.findings.append(
                "\(layout.currentVersion(instance)) says \(text), but \(current) boots "
                    + "\(standing.version): taken as \(standing.version)")
            try describe(current: standing, previous: before)
        }
        found.current = standing
        found.previous = before
    }

    private func forget(_ found: inout Found) throws(FileSystemError) {
        found.findings.append("\(current) holds no release that boots: it is deployed anew")
        try files.removeFileDurably(layout.currentVersion(instance))
        try files.removeFileDurably(layout.previousVersion(instance))
    }

    // MARK: What a folder holds

    /// The release that `folder` boots, as its own marker describes it; `nil` when none does.
    func deployed(
        in folder: String, recorded: DeployedRelease? = nil
    ) throws(FileSystemError) -> DeployedRelease? {
        guard let version = try boots(folder)?.release else { return nil }
        if let marked = try ReleaseMarker.read(in: folder, files: files),
            marked.version == version
        {
            return marked
        }
        if let recorded, recorded.version == version { return recorded }
        return DeployedRelease(version: version, hash: "", deployment: .fullDeployment)
    }

    /// The release that `folder` boots; `nil` if it holds none.
    func boots(_ folder: String) throws(FileSystemError) -> StartErlData? {
        try StartErlData.read(in: folder, files: files)
    }

    /// Whether there is a folder `current` from which nothing boots.
    private func lacksBoot() throws(FileSystemError) -> Bool {
        guard try files.status(current) != nil else { return false }
        return try boots(current) == nil
    }
}
