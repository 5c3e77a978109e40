internal import ErlDist
internal import Glibc
internal import Supervisor
internal import Transport

// Work on the releases: the catalog, staging, the folders, hot upgrades.

extension Deployer {
    static var secondsSince1970: Int64 { Int64(time(nil)) }

    func readCatalog() async {
        do throws(StoreError) {
            let release = try await environment.store.current()
            if release == nil, !hasToldOfWaiting {
                log(.info, "No version is published yet: waiting for \(environment.store.catalog)")
            }
            hasToldOfWaiting = release == nil
            tell(.catalogRead(release))
        } catch {
            tell(.catalogReadFailed("\(error)"))
        }
    }

    func stage(_ number: Int, _ release: Release, running: String?) async {
        let layout = environment.layout
        let begin = MonotonicTime.now
        let state = states[number - 1]
        do {
            try await offload { try state.completeMove() }
            let package = try await environment.store.package(
                of: release, into: layout.instanceFolder(number))
            packages[number] = package
            let summary = try await PackageUnpacker(
                files: environment.files, owner: environment.process.user,
                packageOwners: package.owners
            ).unpack(
                package.path, into: layout.new(number), application: application,
                version: release.version, hash: release.hash)
            log(
                .info,
                "Unpacked \(package.path): \(summary.entryCount) entries, "
                    + "\(summary.byteCount >> 20) MiB in \(Self.text(MonotonicTime.now - begin))")
        } catch {
            await discardStaged(number)
            return tell(.stagingFailed(number, release, reason: "\(error)"))
        }
        let isConnected = snapshot?.instances[number - 1].isConnected ?? false
        let decision = await HotUpgrade.decide(
            .init(version: running, isConnected: isConnected), name: application,
            version: release.version, current: layout.current(number),
            staged: layout.new(number), files: environment.files)
        tell(.staged(number, release, decision))
    }

    /// Removes what is left of a staging that is over.
    func discardStaged(_ number: Int) async {
        let state = states[number - 1]
        packages[number] = nil
        await attempt("removing what was staged for instance: \(number)") {
            try state.discardStaged()
        }
    }

    func runPreCommands(_ number: Int, _ release: Release) async {
        let runner = PreCommandRunner(
            program: environment.layout.stagedProgram(number),
            folder: environment.layout.new(number), environment: variables(number),
            setting: environment.process,
            logPath: "\(environment.logs.folder(app: application))/\(application)-pre-commands.log",
            logOwners: environment.logs.owners,
            record: CommandRecordFile(
                folder: records.path, application: application,
                files: environment.files),
            timeout: configuration.timings.preCommandTimeout, loop: loop)
        let failure = await runner.run(release.preCommands) { log($0, $1) }
        if let failure {
            tell(.preCommandsFailed(number, release, reason: failure))
        } else {
            tell(.preCommandsDone(number, release))
        }
    }

    func promote(_ number: Int, _ release: Release) async {
        let state = states[number - 1]
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        do {
            try await offload { try state.promote(to: deployed) }
        } catch {
            // It may have failed after the folders had changed places: what stands there decides.
            guard await standing(number)?.id == release.id else {
                await discardStaged(number)
                return tell(.promotionFailed(number, release, reason: "\(error)"))
            }
            // The rest of it is done before the next work on the folders, or by the next start.
            log(.error, "deploying \(release.version) at instance: \(number): \(error)")
            return tell(.promoted(number, release))
        }
        await discardStaged(number)
        tell(.promoted(number, release))
        await attempt("cleaning the folders of instance: \(number)") { try state.clean() }
    }

    func revert(_ number: Int, to id: ReleaseID) async {
        let state = states[number - 1]
        do {
            let release = try await offload { try state.revert(to: id) }
            tell(.reverted(number, release))
        } catch {
            guard let standing = await standing(number), standing.id == id else {
                return tell(.reversionFailed(number, reason: "\(error)"))
            }
            log(.error, "going back to \(id) at instance: \(number): \(error)")
            tell(.reverted(number, standing))
        }
        await attempt("cleaning the folders of instance: \(number)") { try state.clean() }
    }

    /// What is current after a move that failed in its midst; to find that out, nothing is written.
    func standing(_ number: Int) async -> DeployedRelease? {
        let state = states[number - 1]
        do {
            return try await offload { try state.standing() }
        } catch {
            log(.error, "looking at the folders of instance: \(number): \(error)")
            return nil
        }
    }

    // MARK: Hot upgrade

    func hotUpgrade(
        _ number: Int, from: String, to release: Release, isResumed: Bool = false
    ) async {
        let (layout, files) = (environment.layout, environment.files)
        let state = states[number - 1]
        let replaced = snapshot?.instances[number - 1].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        if !isResumed {
            do {
                try await offload { try state.beginHotUpgrade(to: deployed) }
            } catch {
                return tell(
                    .hotUpgradeFailed(
                        number, release, reason: "\(error)", nodeIsUntouched: true))
            }
        }
        // What is staged can be entered by whoever is to run it; where the output goes cannot.
        let runner = ProgramRunner(
            folder: records.path, files: files, loop: loop,
            workingFolder: environment.process.user == nil ? nil : layout.new(number),
            setting: environment.process)
        let outcome = await HotUpgrade.run(
            .init(name: application, from: from, to: release.version),
            on: environment.node(number),
            files: HotUpgradeFiles(
                current: layout.current(number), staged: layout.new(number),
                package: packages[number]?.path ?? "", files: files),
            evaluation: .init(environment: variables(number)) { [self] in
                try await run(runner, $0, $1, environment: $2, timeout: $3)
            },
            isResumed: isResumed, log: environment.log)
        switch outcome {
        case .succeeded:
            await attempt("recording the hot upgrade of instance: \(number)") {
                try state.recordHotUpgrade(to: deployed, from: replaced)
            }
            await discardStaged(number)
            tell(.hotUpgraded(number, release))
        case .failed(let reason, let nodeIsUntouched):
            // What the next boot of an upgrade cut in half brings is for the start to find out.
            if nodeIsUntouched {
                await attempt("recording the end of the hot upgrade of instance: \(number)") {
                    try state.abandonHotUpgrade()
                }
            }
            tell(
                .hotUpgradeFailed(
                    number, release, reason: reason, nodeIsUntouched: nodeIsUntouched))
        }
    }

    /// On the loop, as ``ProgramRunner`` wants it.
    private func run(
        _ runner: ProgramRunner, _ path: String, _ arguments: [String],
        environment: [String: String], timeout: Duration
    ) async throws -> HotUpgrade.ProgramOutput {
        try await runner.run(path, arguments, environment: environment, timeout: timeout)
    }

    static func text(_ duration: Duration) -> String {
        let tenths = Int((duration.inSeconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
