internal import Deployment
internal import Supervisor
internal import TestKit
internal import Transport

/// A world in which nothing goes wrong but what is asked for, one step after the other.
final class CrashWorld {
    /// All of a world beside the deployex that runs in it.
    struct Checkpoint {
        fileprivate var image: DiskImage
        fileprivate var host: SimulatedHost
        fileprivate var store: SimulatedStore
        fileprivate var now: MonotonicTime
    }

    enum Failure: Error {
        case neverSettles(String)
    }

    let world: SimulatedWorld

    init(_ checkpoint: Checkpoint? = nil, sabotage: Sabotage? = nil) {
        var random = SeededRandom(seed: 1)
        var scenario = Scenario(using: &random)
        scenario.configuration.replicas = 1
        scenario.failingUpgrades = 0
        scenario.stubbornProcesses = 0
        world = SimulatedWorld(seed: 1, scenario: scenario, sabotage: sabotage)
        guard let checkpoint else { return }
        world.disk.image = checkpoint.image
        world.host = checkpoint.host
        world.store = checkpoint.store
        world.resume(at: checkpoint.now)
    }

    /// Ends what deployex had begun, and lets go of everything.
    func close() { world.close() }

    // MARK: What is done

    func start() { world.startDeployex() }

    func publish(_ version: String, upgradesInPlace: Bool = false) {
        world.publish(
            version, .good, upgradesInPlace: upgradesInPlace, preCommands: [],
            preCommandsSucceed: true)
    }

    func rollBack() { world.deployex?.command(.rollback) }

    /// deployex ends, and leaves its instance running.
    func checkpoint() -> Checkpoint {
        world.deployexDies(.kill, "for a checkpoint", isFinal: true)
        return Checkpoint(
            image: world.disk.image, host: world.host, store: world.store, now: world.now)
    }

    // MARK: What comes of it

    /// Runs until `version` runs, or any version, and nothing is under way.
    func settle(at version: String? = nil) throws {
        try run { snapshot in
            guard let instance = snapshot.instances.first, let current = instance.current else {
                return version == "nothing"
            }
            return instance.status == .running && instance.isConnected
                && current.version == snapshot.targetVersion
                && (version == nil || current.version == version)
        }
    }

    /// Runs until deployex has ended, by the fault that was injected, or everything is at rest.
    func runToStop() throws {
        let before = world.deployex
        try run(until: { _ in false }, or: { world.deployex !== before || $0.isStopped })
    }

    private func run(until isSettled: (ApplicationSnapshot) -> Bool) throws {
        try run(until: isSettled, or: { _ in false })
    }

    private func run(
        until isSettled: (ApplicationSnapshot) -> Bool, or isOver: (SimulatedDisk) -> Bool
    ) throws {
        let end = world.now + .seconds(120)
        while world.now < end {
            if isOver(world.disk) { return }
            if let deployex = world.deployex, deployex.isRunning, deployex.loop.isIdle,
                isSettled(deployex.snapshot)
            {
                return
            }
            world.step()
            if let violation = world.invariants.violation { throw Failure.neverSettles(violation) }
        }
        throw Failure.neverSettles("after two minutes \(world.deployex?.summary ?? "none runs")")
    }

    func standing(_ folder: String) -> StandingRelease {
        StandingRelease(in: folder, of: Scenario.application, world.disk.image)
    }
}

extension SimulatedDeployex {
    fileprivate var summary: String {
        guard isRunning else { return "deployex does not run" }
        let instance = snapshot.instances[0]
        return "\(instance.current?.version ?? "nothing") is \(instance.status), "
            + "\(snapshot.targetVersion ?? "nothing") is to run"
    }
}
