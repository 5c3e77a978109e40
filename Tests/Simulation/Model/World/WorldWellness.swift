internal import Deployment
internal import Supervisor
internal import Transport

// Whether everything has come right in the end.

extension SimulatedWorld {
    var isWell: Bool { whatIsWrong == nil }

    var whatIsWrong: String? {
        guard let deployex, deployex.isRunning else { return "deployex does not run" }
        guard isTidy else { return "the operator has not been heard" }
        guard deployex.unansweredCommands == 0 else { return "a command has no answer" }
        let snapshot = deployex.snapshot
        guard let wanted = store.named else { return "nothing is published" }
        let isGhosted = snapshot.ghosted.contains { $0.id == wanted.release.id }
        guard let target = snapshot.targetVersion else {
            // Where the instances hold different releases, there may be none to go back to that each
            // could have.
            let held = Set(snapshot.instances.map { $0.current?.id })
            return isGhosted && held.count > 1 ? nil : "there is no target"
        }
        if let number = invariants.unnoticedReboot(self) {
            return "instance \(number) rebooted in place, and nobody noticed"
        }
        if wanted.isGood, !isGhosted, target != wanted.release.version {
            return "\(wanted.release.version) is good, and \(target) is the target"
        }
        // A bad release without a good one before it is left to its restarts.
        if !wanted.isGood, target == wanted.release.version { return nil }
        if isMislabelled { return nil }
        for instance in snapshot.instances {
            if let wrong = whatIsWrong(with: instance, target) {
                return "instance \(instance.number): \(wrong)"
            }
        }
        return nil
    }

    private func whatIsWrong(
        with instance: InstanceSnapshot, _ target: String
    ) -> String? {
        let number = instance.number
        guard let current = instance.current else { return "nothing is deployed" }
        guard current.version == target else { return "\(current.version) stands, not \(target)" }
        let processes = host.processes(of: number)
        let release: SimulatedRelease
        if case .whole(let standing) = standing(number) {
            release = standing
        } else if runningWithoutFiles.contains(number), let node = processes.first?.node {
            // The journal of an upgrade that was under way has gone with them: nobody knows of it.
            guard node.running == node.permanent else { return nil }
            // They come back before the next start.
            release = node.running
        } else {
            return "\(standing(number)) in current"
        }
        guard release.version == target else {
            return "\(release.version) boots, \(target) is on record"
        }
        // What passed for good and is not cannot be expected to run.
        guard behaviour(of: release) == .good else { return nil }
        guard processes.count == 1, let node = processes[0].node else {
            return "\(processes.count) processes run"
        }
        guard node.isUp(at: now), node.isReady(at: now), node.answers(at: now) else {
            return "its node is not ready"
        }
        guard node.running.version == target else {
            return "\(node.running.version) runs, \(target) is on record"
        }
        guard instance.status == .running, instance.isConnected,
            instance.identity == processes[0].identity
        else { return "it counts as \(instance.status)" }
        return nil
    }
}
