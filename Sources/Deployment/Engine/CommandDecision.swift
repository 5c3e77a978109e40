internal import ErlDist
internal import Supervisor
internal import Transport

/// The engine's response to an operator's command: the answer, and the actions that follow.
struct CommandDecision: Equatable {
    enum Action: Equatable {
        /// An action for the deployer, passed on unchanged.
        case ask(EngineAction)
        case tell(InstanceNumber, Instance.Order)
        /// The rollout has failed.
        case endRollout(reason: String)

        static func log(_ text: String) -> Action { .ask(.log(.info, text)) }
    }

    var result: CommandResult
    var actions: [Action] = []

    static func done(_ text: String, _ actions: [Action] = []) -> CommandDecision {
        CommandDecision(result: .done(text), actions: actions)
    }

    static func refused(_ text: String) -> CommandDecision {
        CommandDecision(result: .refused(text))
    }
}

/// Decides what to do for operators' commands. The plan takes over what a command says about
/// releases.
struct CommandDesk {
    let application: String
    let fleet: Fleet
    /// The rollout under way.
    let rollout: Rollout?
    let now: MonotonicTime

    func decide(_ command: EngineCommand, on plan: inout ReleasePlan) -> CommandDecision {
        switch command {
        case .deploy(let version?): deploy(version, on: &plan)
        case .deploy(nil): followCatalog(&plan)
        case .rollback: rollBack(&plan)
        case .unghost(let version):
            plan.unghost(version)
                ? .done("version \(version) may be deployed again")
                : .refused("version \(version) is not ghosted")
        case .restart(let number): refusal(at: number) ?? restart(number)
        case .stop(let number): refusal(at: number) ?? stop(number)
        case .start(let number): refusal(at: number) ?? start(number, plan)
        }
    }

    // MARK: Releases

    private func deploy(_ version: String, on plan: inout ReleasePlan) -> CommandDecision {
        if let refusal = plan.pin(version) { return .refused(refusal) }
        let next =
            rollout.map {
                "deployed after instance \($0.instance), which is changing to \($0.release.version)"
            } ?? "being deployed"
        return .done(
            "version \(version) is \(next)", [.log("Deployment of version \(version) requested")])
    }

    private func followCatalog(_ plan: inout ReleasePlan) -> CommandDecision {
        guard plan.unpin() else { return .done("the published version is followed already") }
        let next = plan.target(in: fleet).map { ": \($0.version)" } ?? ""
        return .done(
            "the published version is followed again" + next,
            [.log("The published version is followed again")])
    }

    private func rollBack(_ plan: inout ReleasePlan) -> CommandDecision {
        guard let target = plan.target(in: fleet) else {
            return .refused("nothing is deployed yet")
        }
        guard let good = plan.fallback(from: target.id, in: fleet) else {
            return .refused("there is no version before \(target.version) that was ready once")
        }
        let told = plan.ghost(target.id, GhostedRelease.rolledBack, in: fleet, now: now)
        return .done("going back from \(target.version) to \(good.version)", [.ask(told)])
    }

    // MARK: Instances

    /// The refusal when nothing can be done with an instance.
    private func refusal(at number: InstanceNumber) -> CommandDecision? {
        guard fleet.numbers.contains(number) else {
            return .refused(
                "there is no instance \(number): \(application) has instances 1 to "
                    + "\(fleet.numbers.upperBound)")
        }
        guard let rollout, rollout.isChanging(number) else { return nil }
        return .refused(
            "instance \(number) is being changed to \(rollout.release.version): try again when "
                + "that is done")
    }

    private func restart(_ number: InstanceNumber) -> CommandDecision {
        guard fleet[number].current != nil else {
            return .refused("instance \(number) has no version to start")
        }
        let told = CommandDecision.Action.log("Restart requested for instance: \(number)")
        return .done(
            "instance \(number) is being restarted",
            [told, .tell(number, .release), .tell(number, .restart)])
    }

    /// What is staged for the instance, or is being staged, is discarded by ``FleetStaging``.
    private func stop(_ number: InstanceNumber) -> CommandDecision {
        let isAwaited = rollout?.isAwaitingReady(number) == true
        return .done(
            "instance \(number) is being stopped, and stays stopped until it is started",
            [.log("Stop requested for instance: \(number)")]
                + (isAwaited ? [.endRollout(reason: DeploymentOutcome.stoppedByOperator)] : [])
                + [.tell(number, .stayStopped)])
    }

    /// Does not start an outdated release only to replace it: the instance waits for the target.
    private func start(_ number: InstanceNumber, _ plan: ReleasePlan) -> CommandDecision {
        guard fleet[number].current != nil else {
            return .done(
                "instance \(number) is deployed when its turn comes", [.tell(number, .release)])
        }
        if rollout == nil, fleet[number].status == .idle, let target = plan.target(in: fleet),
            plan.isOutdated(fleet[number], target), plan.mayBegin(target, in: fleet, now: now)
        {
            return .done(
                "instance \(number) is being started with version \(target.version)",
                [.tell(number, .release), .tell(number, .awaitTarget)])
        }
        return .done(
            "instance \(number) is being started",
            [.tell(number, .release), .tell(number, .start)])
    }
}
