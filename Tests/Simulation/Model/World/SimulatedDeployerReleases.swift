internal import Deployment
internal import Supervisor
internal import Transport

// Work on the releases: staging, the folders, pre-commands.

extension SimulatedDeployer {
    func stage(
        _ number: Int, _ release: Release, running: String?, _ done: @escaping () -> Void
    ) {
        let layout = world.layout
        func fail(_ reason: String) {
            guard !world.disk.isStopped else { return }
            discardStaged(number)
            if world.sabotage != .losesFailures {
                tell(.stagingFailed(number, release, reason: reason))
            }
            done()
        }
        guard let package = world.store.packages[release.version], !package.isBroken else {
            return fail("the package is broken")
        }
        let content = SimulatedRelease(
            application: Scenario.application, version: release.version, hash: package.content)
        do {
            try states[number - 1].completeMove()
            try content.stage(
                in: layout.new(number), as: release, world.disk,
                syncs: world.sabotage != .stagesWithoutSync)
        } catch {
            return fail("\(error)")
        }
        staged[number] = content
        let isConnected = snapshot.instances[number - 1].isConnected
        let decision: UpgradeDecision =
            if let running, package.upgradesInPlace, isConnected, running != release.version {
                .hotUpgrade(from: running, to: release.version)
            } else {
                .fullDeployment(reason: .noMatchingVersions)
            }
        tell(.staged(number, release, decision))
        done()
    }

    /// What is staged is about to be run.
    func useStaged(_ number: Int, _ release: Release) {
        guard let content = staged[number], !release.hash.isEmpty else { return }
        if content.hash != release.hash { world.isMislabelled = true }
    }

    func discardStaged(_ number: Int) {
        staged[number] = nil
        attempt("removing what was staged") { try states[number - 1].discardStaged() }
    }

    func runPreCommands(_ number: Int, _ release: Release, _ done: @escaping () -> Void) {
        let content = staged[number]?.hash ?? ""
        let succeeds = world.store.contents[content]?.preCommandsSucceed ?? true
        world.invariants.ranPreCommands(release.id, succeeded: succeeds, world)
        if succeeds {
            tell(.preCommandsDone(number, release))
        } else {
            tell(.preCommandsFailed(number, release, reason: "it failed"))
        }
        done()
    }

    func promote(_ number: Int, _ release: Release, _ done: @escaping () -> Void) {
        let state = states[number - 1]
        useStaged(number, release)
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .fullDeployment)
        do {
            if world.sabotage == .promotesInTwoSteps {
                try promoteInTwoSteps(number, state, deployed)
            } else {
                try state.promote(to: deployed)
            }
            if world.sabotage == .strays {
                try world.disk.makeFolders("/etc/deployex", mode: 0o700)
            }
        } catch {
            guard !world.disk.isStopped else { return }
            guard standing(number)?.id == release.id else {
                discardStaged(number)
                tell(.promotionFailed(number, release, reason: "\(error)"))
                return done()
            }
            tell(.promoted(number, release))
            return done()
        }
        discardStaged(number)
        after(.zero ... .milliseconds(5)) {
            self.tell(.promoted(number, release))
            self.attempt("cleaning") { try state.clean() }
            done()
        }
    }

    private func promoteInTwoSteps(
        _ number: Int, _ state: InstanceState, _ deployed: DeployedRelease
    ) throws {
        let layout = world.layout
        if world.disk.image.status(layout.current(number)) != nil {
            try world.disk.removeTree(layout.previous(number))
            try world.disk.rename(layout.current(number), to: layout.previous(number))
        }
        try state.promote(to: deployed)
    }

    func revert(_ number: Int, to id: ReleaseID, _ done: @escaping () -> Void) {
        let state = states[number - 1]
        do {
            let release = try state.revert(to: id)
            tell(.reverted(number, release))
        } catch {
            guard !world.disk.isStopped else { return }
            if let standing = standing(number), standing.id == id {
                tell(.reverted(number, standing))
            } else {
                tell(.reversionFailed(number, reason: "\(error)"))
            }
        }
        guard !world.disk.isStopped else { return }
        attempt("cleaning") { try state.clean() }
        done()
    }

    /// What is current after a move that failed in its midst.
    private func standing(_ number: Int) -> DeployedRelease? {
        do { return try states[number - 1].standing() } catch { return nil }
    }
}
