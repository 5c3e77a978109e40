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
            let (summary, source) = try await unpack(package, of: release, for: number)
            let copied = source.map { ", copied from instance: \($0)" } ?? ""
            log(
                .info,
                "Unpacked \(package.path): \(summary.entryCount) entries, "
                    + "\(summary.byteCount >> 20) MiB in \((loop.now - begin).roughText)\(copied)")
        } catch {
            await discardStaged(number)
            return tell(.stagingFailed(number, release, reason: "\(error)"))
        }
        let isConnected = snapshot?.instances[number].isConnected ?? false
        let decision = await HotUpgrade.decide(
            from: running, isConnected: isConnected, to: release.version, name: application,
            current: layout.current(number), staged: layout.new(number),
            mode: configuration.hotUpgrade, files: effects.files, loop: loop)
        // What pre-commands are still to change may be what the configuration is read from.
        if case .hotUpgrade(let from, _) = decision,
            release.preCommands.isEmpty || latestRecord?.isPrepared(release.id) == true
        {
            await prepareUpgrade(number, from: from, to: release)
        }
        tell(.staged(number, release, decision))
    }

    /// Unpacks a package for an instance. What has been unpacked for another one, or is being, is
    /// copied, which takes a fraction of the time.
    /// - Returns: also the instance that it was copied from.
    private func unpack(
        _ package: LocalPackage, of release: Release, for number: InstanceNumber
    ) async throws -> (UnpackSummary, InstanceNumber?) {
        // A user of its own may have changed what has been handed over to it.
        if effects.process.user == nil, let other = unpacked, other.number != number,
            other.release == release, other.package == package,
            let summary = await copy(other, to: number)
        {
            return (summary, other.number)
        }
        let (effects, folder) = (effects, effects.layout.new(number))
        let work = Task<Result<UnpackSummary, any Error>, Never>(executorPreference: loop) {
            do {
                return .success(try await effects.unpack(package, folder, release))
            } catch {
                return .failure(error)
            }
        }
        unpacked = UnpackedRelease(
            number: number, release: release, package: package, work: work)
        do {
            return (try await work.value.get(), nil)
        } catch {
            if unpacked?.number == number { unpacked = nil }
            if UnpackError.blamesPackage(error) { await effects.store.discard(package) }
            throw error
        }
    }

    /// Copies what is unpacked for another instance; `nil` if that is not possible.
    private func copy(
        _ other: UnpackedRelease, to number: InstanceNumber
    ) async -> UnpackSummary? {
        let (effects, release) = (effects, other.release)
        let (source, folder) = (effects.layout.new(other.number), effects.layout.new(number))
        let copying = Task<UnpackSummary?, Never>(executorPreference: loop) {
            guard case .success(let summary) = await other.work.value else { return nil }
            do {
                try await effects.copyUnpacked(source, summary, folder, release)
                return summary
            } catch {
                effects.log(.info, "Unpacking again instead of copying: \(error)")
                return nil
            }
        }
        // What is copied stays until then.
        let before = instance(other.number).folderWork
        instance(other.number).folderWork = begin { _ in
            await before?.value
            _ = await copying.value
        }
        return await copying.value
    }

    /// Makes what the hot upgrade of an instance needs, while others are still being staged.
    private func prepareUpgrade(
        _ number: InstanceNumber, from: String, to release: Release
    ) async {
        let replaced = snapshot?.instances[number].current?.id
        let upgrade = upgrade(
            number, from: from, to: release, staged: effects.layout.new(number))
        let result = await HotUpgrade.prepare(
            upgrade.plan, files: upgrade.files, evaluation: upgrade.evaluation, loop: loop)
        instance(number).prepared = .init(
            from: replaced, to: release.id, at: loop.now, result: result)
    }

    /// What was prepared for a hot upgrade, if it still holds. It is used once.
    private func takePrepared(
        _ number: InstanceNumber, from: ReleaseID?, to: ReleaseID
    ) -> HotUpgrade.Prepared? {
        let prepared = instance(number).prepared.take()
        return prepared.flatMap {
            $0.holds(from: from, to: to, now: loop.now) ? $0.result : nil
        }
    }

    /// Removes the remains of a staging that is over.
    func discardStaged(_ number: InstanceNumber) async {
        let state = instance(number).state
        instance(number).prepared = nil
        if unpacked?.number == number { unpacked = nil }
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
        let state = instance(number).state
        let replaced = snapshot?.instances[number].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        let prepared = takePrepared(number, from: replaced?.id, to: release.id)
        if !isResumed {
            do {
                try await loop.offload { try state.beginHotUpgrade(to: deployed) }
            } catch {
                return tell(
                    .hotUpgradeFailed(
                        number, release, reason: "\(error)", nodeIsUntouched: true))
            }
        }
        let upgrade = upgrade(
            number, from: from, to: release, staged: effects.layout.new(number))
        let outcome = await HotUpgrade.run(
            upgrade.plan, on: effects.node(number), files: upgrade.files,
            evaluation: upgrade.evaluation, prepared: prepared, isResumed: isResumed, loop: loop,
            log: effects.log)
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
                    $0, $1, environment: $2, of: number, workingFolder: workingFolder, timeout: $3)
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
        of number: InstanceNumber, workingFolder: String, timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        var environment = environment
        // It is told of the sockets as the instance is, and does not have them.
        if let sockets = try await effects.sockets?(number), !sockets.isEmpty {
            environment.merge(sockets.variables) { $1 }
        }
        return try await programs.collectingOutput(
            path, arguments, environment: environment, foreignVariables: foreignVariables,
            workingFolder: workingFolder, setting: effects.process, in: records.path,
            for: instance(number).name, files: effects.files, timeout: timeout)
    }
}
