internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

// Hot upgrades: the production machine against a simulated release_handler.

extension SimulatedDeployer {
    func hotUpgrade(
        _ number: Int, from: String, to release: Release, isResumed: Bool,
        _ done: @escaping () -> Void
    ) {
        let state = states[number - 1]
        let replaced = snapshot.instances[number - 1].current
        let deployed = DeployedRelease(
            version: release.version, hash: release.hash, deployment: .hotUpgrade)
        if !isResumed {
            useStaged(number, release)
            do {
                try state.beginHotUpgrade(to: deployed)
            } catch {
                tell(
                    .hotUpgradeFailed(
                        number, release, reason: "\(error)", nodeIsUntouched: true))
                return done()
            }
        }
        guard !world.disk.isStopped else { return }
        var timings = HotUpgrade.Timings()
        (timings.preparation, timings.installation) = (.seconds(15), .seconds(15))
        (timings.question, timings.attempts) = (.seconds(3), 8)
        let plan = HotUpgrade.Plan(
            name: Scenario.application, from: from, to: release.version, timings: timings)
        let upgrade = SimulatedUpgrade(self, number, plan, staged[number])
        upgrade.run(isResumed: isResumed) { outcome in
            switch outcome {
            case .succeeded:
                self.attempt("recording the hot upgrade") {
                    try state.recordHotUpgrade(to: deployed, from: replaced)
                }
                guard !self.world.disk.isStopped else { return }
                self.discardStaged(number)
                self.tell(.hotUpgraded(number, release))
            case .failed(let reason, let nodeIsUntouched):
                if nodeIsUntouched {
                    self.attempt("recording the end") { try state.abandonHotUpgrade() }
                }
                if self.world.sabotage == .claimsUpgrades {
                    self.tell(.hotUpgraded(number, release))
                } else {
                    self.tell(
                        .hotUpgradeFailed(
                            number, release, reason: reason, nodeIsUntouched: nodeIsUntouched))
                }
            }
            done()
        }
    }
}

/// One hot upgrade under way.
final class SimulatedUpgrade {
    private let deployer: SimulatedDeployer
    private var world: SimulatedWorld { deployer.world }
    private let number: Int
    private let plan: HotUpgrade.Plan
    private let content: SimulatedRelease?
    private var machine: HotUpgradeMachine
    private var finish: (HotUpgrade.Outcome) -> Void = { _ in }

    init(
        _ deployer: SimulatedDeployer, _ number: Int, _ plan: HotUpgrade.Plan,
        _ content: SimulatedRelease?
    ) {
        self.deployer = deployer
        self.number = number
        self.plan = plan
        self.content = content
        machine = HotUpgradeMachine(plan: plan)
    }

    func run(isResumed: Bool, _ finish: @escaping (HotUpgrade.Outcome) -> Void) {
        self.finish = finish
        perform(isResumed ? machine.resume() : machine.start())
    }

    private var files: HotUpgradeFiles {
        HotUpgradeFiles(
            current: world.layout.current(number), staged: world.layout.new(number),
            package: world.layout.new(number) + "/releases/start_erl.data", files: world.disk)
    }

    private func perform(_ actions: [HotUpgradeMachine.Action]) {
        for action in actions {
            switch action {
            case .log(_, let text): world.note("  \(text)")
            case .call(_, let function, let arguments, let timeout):
                call(function.name, arguments, timeout)
            case .file(let step):
                deployer.after(.zero ... .milliseconds(300)) { self.file(step) }
            case .pause(let duration):
                deployer.after(duration) { self.perform(self.machine.pauseEnded()) }
            case .finish(let outcome):
                finish(outcome)
            }
        }
    }

    private func file(_ step: HotUpgrade.FileStep) {
        do {
            switch step {
            case .evaluateConfiguration:
                if world.random.chance(world.scenario.failingUpgrades / 4) {
                    return perform(machine.fileFailed("a provider raises"))
                }
            case .placePackage: try files.placePackage(plan)
            case .copyReleaseResources: try files.copyReleaseResources(plan)
            case .inspectRelup: break
            case .writeConfiguration:
                try files.writeConfiguration(Array("[{resolved,true}].\n".utf8), plan)
            case .restoreConfiguration: try files.restoreConfiguration(plan)
            case .removeRelease: try files.removeRelease(plan)
            }
        } catch {
            guard !world.disk.isStopped else { return }
            return perform(machine.fileFailed("\(error)"))
        }
        perform(machine.fileDone())
    }

    // MARK: Calls

    private func call(_ function: String, _ arguments: [Term], _ timeout: Duration) {
        deployer.after(.milliseconds(1) ... .milliseconds(50)) {
            guard let process = self.world.nodeProcess(self.number), let node = process.node else {
                return self.perform(self.machine.callFailed(.unreachable("connection refused")))
            }
            let isLate =
                !node.answers(at: self.world.now)
                || self.world.random.chance(self.world.scenario.failingUpgrades / 8)
            guard !isLate else {
                // The node may still do it, when nobody waits any more.
                self.world.after(timeout + .seconds(1)) {
                    _ = self.answer(process.identity, node.creation, function, arguments)
                }
                return self.deployer.after(timeout) {
                    self.perform(self.machine.callFailed(.timedOut))
                }
            }
            // What the node does it does whether deployex lives or not.
            self.world.after(.milliseconds(1) ... .milliseconds(500)) {
                let answer = self.answer(process.identity, node.creation, function, arguments)
                self.deployer.after(.zero) {
                    guard let answer else {
                        return self.perform(self.machine.callFailed(.connectionLost("closed")))
                    }
                    self.perform(self.machine.callAnswered(answer))
                }
            }
        }
    }

    /// What the node answers; `nil` when it is not there any more.
    private func answer(
        _ identity: ProcessIdentity, _ creation: UInt32, _ function: String, _ arguments: [Term]
    ) -> Term? {
        guard let node = world.host[identity]?.node, node.creation == creation else { return nil }
        world.note("  node \(number): \(function)")
        let fails = world.random.chance(world.scenario.failingUpgrades)
        let failure = Term.tuple([.atom("error"), .atom("simulated")])
        switch function {
        case "which_releases": return Self.list(of: node)
        case "set_removed":
            guard world.host[identity]?.node?.unpacked.removeValue(forKey: plan.to) != nil else {
                return .tuple([
                    .atom("error"), .tuple([.atom("no_such_release"), .charlist(plan.to)]),
                ])
            }
            return .atom("ok")
        case "unpack_release":
            guard let content, !fails else { return failure }
            guard node.unpacked[plan.to] == nil else {
                return .tuple([
                    .atom("error"), .tuple([.atom("existing_release"), .charlist(plan.to)]),
                ])
            }
            return unpack(content, identity) ? .tuple([.atom("ok"), .charlist(plan.to)]) : failure
        case "root_dir": return .charlist(world.layout.current(number))
        case "make_relup": return fails ? .atom("error") : .atom("ok")
        case "check_install_release":
            return fails ? failure : .tuple([.atom("ok"), .charlist(plan.from), .list([])])
        case "install_release": return install(identity, fails: fails)
        case "make_permanent": return makePermanent(identity, fails: fails)
        default: preconditionFailure("The node has no \(function)")
        }
    }

    private static func list(of node: SimulatedNode) -> Term {
        func entry(_ version: String, _ status: String) -> Term {
            .tuple([
                .charlist(Scenario.application), .charlist(version), .list([]),
                .atom(Atom(status)),
            ])
        }
        var entries = [entry(node.permanent.version, "permanent")]
        if node.running.version != node.permanent.version {
            entries.append(entry(node.running.version, "current"))
        }
        for version in node.unpacked.keys.sorted()
        where version != node.running.version && version != node.permanent.version {
            entries.append(entry(version, "unpacked"))
        }
        return .list(entries)
    }

    private func unpack(_ content: SimulatedRelease, _ identity: ProcessIdentity) -> Bool {
        let folder = world.layout.current(number)
        var image = world.disk.image
        do throws(FileSystemError) { try content.add(to: folder, &image) } catch { return false }
        world.disk.image = image
        world.host[identity]?.node?.unpacked[plan.to] = content
        return true
    }

    private func install(_ identity: ProcessIdentity, fails: Bool) -> Term {
        guard let release = world.host[identity]?.node?.unpacked[plan.to] else {
            return .tuple([.atom("error"), .atom("no_such_release")])
        }
        guard !fails else {
            // After the point of no return the node restarts by itself.
            if world.random.chance(50) {
                world.after(.milliseconds(100)) { self.world.reboot(identity, self.number) }
            }
            return .tuple([.atom("error"), .atom("code_change_failed")])
        }
        world.host[identity]?.node?.running = release
        world.behave(identity, as: release)
        return .tuple([.atom("ok"), .charlist(plan.from), .list([])])
    }

    private func makePermanent(_ identity: ProcessIdentity, fails: Bool) -> Term {
        guard let node = world.host[identity]?.node, node.running.version == plan.to, !fails else {
            return .tuple([.atom("error"), .atom("not_current")])
        }
        var image = world.disk.image
        world.invariants.watch?.forget(number)
        do throws(FileSystemError) {
            try node.running.makePermanent(in: world.layout.current(number), &image)
        } catch {
            // A full disk: what was truncated stays so.
            world.disk.image = image
            return .tuple([.atom("error"), .atom("enospc")])
        }
        world.disk.image = image
        world.host[identity]?.node?.permanent = node.running
        return .atom("ok")
    }
}
