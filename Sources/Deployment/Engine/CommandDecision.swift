internal import ErlDist
internal import Supervisor
internal import Transport

/// What an operator's command comes to: the answer, and what is done because of it.
struct CommandDecision: Equatable {
    enum Action: Equatable {
        /// For the deployer, as it is.
        case ask(EngineAction)
        /// An operator no longer wants the instance to stay stopped.
        case release(Int)
        case start(Int)
        case restart(Int)
        /// The instance stops, and stays stopped until it is started.
        case stop(Int)
    }

    var result: CommandResult
    var actions: [Action] = []

    private static func done(_ text: String, _ actions: [Action] = []) -> CommandDecision {
        CommandDecision(result: .done(text), actions: actions)
    }

    private static func refused(_ text: String) -> CommandDecision {
        CommandDecision(result: .refused(text))
    }
}

extension CommandDecision {
    /// Decides a command. What it says about releases is in `plan` afterwards.
    /// - Parameter rollout: the one under way.
    static func decide(
        _ command: EngineCommand, for application: String, on plan: inout ReleasePlan,
        _ fleet: Fleet, _ rollout: Rollout?, now: MonotonicTime
    ) -> CommandDecision {
        switch command {
        case .deploy(let version?): deploy(version, on: &plan, rollout)
        case .deploy(nil): followCatalog(&plan, fleet)
        case .rollback: rollBack(&plan, fleet, now: now)
        case .unghost(let version):
            plan.unghost(version)
                ? .done("version \(version) may be deployed again")
                : .refused("version \(version) is not ghosted")
        case .restart(let number):
            refusal(at: number, of: application, fleet, rollout) ?? restart(fleet[number])
        case .stop(let number):
            refusal(at: number, of: application, fleet, rollout) ?? stop(number)
        case .start(let number):
            refusal(at: number, of: application, fleet, rollout) ?? start(fleet[number])
        }
    }

    // MARK: Releases

    private static func deploy(
        _ version: String, on plan: inout ReleasePlan, _ rollout: Rollout?
    ) -> CommandDecision {
        if let refusal = plan.pin(version) { return .refused(refusal) }
        let told = Action.ask(.log(.info, "Deployment of version \(version) requested"))
        guard let rollout else { return .done("version \(version) is being deployed", [told]) }
        return .done(
            "version \(version) is deployed after instance \(rollout.instance), which is changing "
                + "to \(rollout.release.version)", [told])
    }

    private static func followCatalog(
        _ plan: inout ReleasePlan, _ fleet: Fleet
    ) -> CommandDecision {
        guard plan.unpin() else { return .done("the published version is followed already") }
        let next = plan.target(in: fleet).map { ": \($0.version)" } ?? ""
        return .done(
            "the published version is followed again" + next,
            [.ask(.log(.info, "The published version is followed again"))])
    }

    private static func rollBack(
        _ plan: inout ReleasePlan, _ fleet: Fleet, now: MonotonicTime
    ) -> CommandDecision {
        guard let target = plan.target(in: fleet) else {
            return .refused("nothing is deployed yet")
        }
        guard let good = plan.fallback(from: target.id, in: fleet) else {
            return .refused("there is no version before \(target.version) that was ready once")
        }
        let told = plan.ghost(target.id, "rolled back by an operator", in: fleet, now: now)
        return .done("going back from \(target.version) to \(good.version)", [.ask(told)])
    }

    // MARK: Instances

    /// Why nothing can be done with an instance.
    private static func refusal(
        at number: Int, of application: String, _ fleet: Fleet, _ rollout: Rollout?
    ) -> CommandDecision? {
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

    private static func restart(_ instance: Instance) -> CommandDecision {
        let number = instance.number
        guard instance.current != nil else {
            return .refused("instance \(number) has no version to start")
        }
        let told = Action.ask(.log(.info, "Restart requested for instance: \(number)"))
        return .done(
            "instance \(number) is being restarted", [told, .release(number), .restart(number)])
    }

    private static func stop(_ number: Int) -> CommandDecision {
        let told = Action.ask(.log(.info, "Stop requested for instance: \(number)"))
        return .done(
            "instance \(number) is being stopped, and stays stopped until it is started",
            [told, .stop(number)])
    }

    private static func start(_ instance: Instance) -> CommandDecision {
        let number = instance.number
        guard instance.current != nil else {
            return .done(
                "instance \(number) is deployed when its turn comes", [.release(number)])
        }
        return .done(
            "instance \(number) is being started", [.release(number), .start(number)])
    }
}
