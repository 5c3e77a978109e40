internal import ErlDist
internal import Supervisor
internal import Transport

// Work on the releases: the catalog, staging, the folders, hot upgrades.

extension Deployer {
    func readCatalog() async {
        do throws(StoreError) {
            let release = try await effects.store.current()
            if release == nil, !hasToldOfWaiting {
                log(.info, "No version is published yet: waiting for \(effects.store.catalog)")
            }
            hasToldOfWaiting = release == nil
            tell(.catalogRead(release))
        } catch {
            tell(.catalogReadFailed("\(error)"))
        }
    }

    func stage(_ number: InstanceNumber, _ release: Release, running: String?) async {
        let layout = effects.layout
        let begin = loop.now
        let state = instance(number).state
        do {
            try await makeFolders(number)
            try await loop.offload { try state.completeMove() }
            let package = try await effects.store.package(
                of: release, into: layout.instanceFolder(number))
            let summary: UnpackSummary
            do {
                summary = try await effects.unpack(package, layout.new(number), release)
            } catch {
                if UnpackError.blamesPackage(error) { await effects.store.discard(package) }
                throw error
            }
            log(
                .info,
                "Unpacked \(package.path): \(summary.entryCount) entries, "
                    + "\(summary.byteCount >> 20) MiB in \((loop.now - begin).roughText)")
        } catch {
            await discardStaged(number)
            return tell(.stagingFailed(number, release, reason: "\(error)"))
        }
        let isConnected = snapshot?.instances[number].isConnected ?? false
        let decision = await HotUpgrade.decide(
            from: running, isConnected: isConnected, to: release.version, name: application,
            current: layout.current(number), staged: layout.new(number),
            mode: configuration.hotUpgrade, files: effects.files, loop: loop)
        tell(.staged(number, release, decision))
    }

    /// Removes the remains of a staging that is over.
    func discardStaged(_ number: InstanceNumber) async {
        let state = instance(number).state
        await attempt("removing what was staged for instance: \(number)") {
            try state.discardStaged()
        }
    }

    func runPreCommands(_ number: InstanceNumber, _ release: Release) async {
        let program = await startCommand(in: effects.layout.new(number)).program
        do {
            // If somebody has removed what they need, that is no failure of the release.
            try await makeFolders(number)
            let (files, path) = (effects.files, "\(effects.layout.new(number))/\(program)")
            guard try await loop.offload({ try files.status(path) }) != nil else {
                throw SpawnError("there is no \(path)")
            }
        } catch {
            await discardStaged(number)
            return tell(.stagingFailed(number, release, reason: "\(error)"))
        }
        let runner = PreCommandRunner(
            program: "\(effects.layout.new(number))/\(program)",
            folder: effects.layout.new(number), environment: variables(number),
            foreignVariables: foreignVariables, setting: effects.process,
            logPath: effects.logs.preCommandsPath(app: application),
            logOwners: effects.logs.owners,
            record: CommandRecordFile(
                folder: records.path, application: application,
                files: effects.files),
            timeout: configuration.timings.preCommandTimeout, programs: programs,
            loop: loop, logTail: effects.logTail)
        let failure = await runner.run(release.preCommands) { log($0, $1) }
        // The commands were killed: that is no failure of the release.
        guard !programs.hasStopped else { return }
        if let failure {
            tell(.preCommandsFailed(number, release, reason: failure))
        } else {
            tell(.preCommandsDone(number, release))
        }
    }

    func promote(_ number: InstanceNumber, _ release: Release) async {
        let state = instance(number).state
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        do {
            try await loop.offload { try state.promote(to: deployed) }
        } catch {
            // It may have failed after the folders had changed places, so the release in `current`
            // decides.
            guard await standing(number)?.id == release.id else {
                await discardStaged(number)
                return tell(.promotionFailed(number, release, reason: "\(error)"))
            }
            // The next work on the folders, or the next start, does the rest of the move first.
            log(.error, "deploying \(release.version) at instance: \(number): \(error)")
            return tell(.promoted(number, release))
        }
        await discardStaged(number)
        tell(.promoted(number, release))
        await clean(number)
    }

    func revert(_ number: InstanceNumber, to id: ReleaseID) async {
        let state = instance(number).state
        do {
            let release = try await loop.offload { try state.revert(to: id) }
            tell(.reverted(number, release))
        } catch {
            guard let standing = await standing(number), standing.id == id else {
                return tell(.reversionFailed(number, reason: "\(error)"))
            }
            log(.error, "going back to \(id) at instance: \(number): \(error)")
            tell(.reverted(number, standing))
        }
        await clean(number)
    }

    /// The current release after a move that failed halfway. It only reads.
    func standing(_ number: InstanceNumber) async -> DeployedRelease? {
        let state = instance(number).state
        do {
            return try await loop.offload { try state.standing() }
        } catch {
            log(.error, "looking at the folders of instance: \(number): \(error)")
            return nil
        }
    }

    // MARK: Hot upgrade

    func hotUpgrade(
        _ number: InstanceNumber, from: String, to release: Release, isResumed: Bool = false
    ) async {
        let layout = effects.layout
        let state = instance(number).state
        let replaced = snapshot?.instances[number].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        if !isResumed {
            do {
                try await loop.offload { try state.beginHotUpgrade(to: deployed) }
            } catch {
                return tell(
                    .hotUpgradeFailed(
                        number, release, reason: "\(error)", nodeIsUntouched: true))
            }
        }
        let upgrade = upgrade(number, from: from, to: release, staged: layout.new(number))
        let outcome = await HotUpgrade.run(
            upgrade.plan, on: effects.node(number), files: upgrade.files,
            evaluation: upgrade.evaluation, isResumed: isResumed, loop: loop, log: effects.log)
        var leftBehind = HotUpgrade.Remains()
        if case .succeededInPart(let remains) = outcome { leftBehind = remains }
        switch outcome {
        case .succeeded, .succeededInPart:
            await attempt("recording the hot upgrade of instance: \(number)") {
                try state.recordHotUpgrade(to: deployed, from: replaced)
            }
            await discardStaged(number)
            tell(.hotUpgraded(number, release, leftBehind: leftBehind))
        case .failed(let reason, let nodeIsUntouched):
            // If the upgrade was cut in half, the start finds out what the next boot brings.
            if nodeIsUntouched { await recordAbandoned(number) }
            tell(
                .hotUpgradeFailed(
                    number, release, reason: reason, nodeIsUntouched: nodeIsUntouched))
        case .restarting(let reason):
            tell(.nodeRestarts(number, release, reason: reason))
        case .cannotBoot(let reason):
            await recordAbandoned(number)
            tell(.configurationFailed(number, release, reason: reason, isForeign: false))
        case .hindered(let reason):
            await recordAbandoned(number)
            tell(.configurationFailed(number, release, reason: reason, isForeign: true))
        }
    }

    /// What an upgrade of an instance to the release in the folder `staged` works with.
    func upgrade(
        _ number: InstanceNumber, from: String, to release: Release, staged: String
    ) -> (plan: HotUpgrade.Plan, files: HotUpgradeFiles, evaluation: HotUpgrade.Evaluation) {
        // The release's user can enter the staged folder, but not the folder of the output.
        let workingFolder = effects.process.user == nil ? records.path : staged
        return (
            HotUpgrade.Plan(
                name: application, from: from, to: release.version,
                timings: effects.upgradeTimings, mode: configuration.hotUpgrade),
            HotUpgradeFiles(
                current: effects.layout.current(number), staged: staged, files: effects.files),
            HotUpgrade.Evaluation(environment: variables(number)) { [self] in
                try await evaluate(
                    $0, $1, environment: $2, workingFolder: workingFolder, timeout: $3)
            }
        )
    }

    /// Records that a hot upgrade has ended without touching the node.
    private func recordAbandoned(_ number: InstanceNumber) async {
        let state = instance(number).state
        await attempt("recording the end of the hot upgrade of instance: \(number)") {
            try state.abandonHotUpgrade()
        }
    }

    /// Runs on the loop, as ``Programs`` requires.
    private func evaluate(
        _ path: String, _ arguments: [String], environment: [String: String],
        workingFolder: String, timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        try await programs.collectingOutput(
            path, arguments, environment: environment, foreignVariables: foreignVariables,
            workingFolder: workingFolder, setting: effects.process, in: records.path,
            files: effects.files, timeout: timeout)
    }
}
