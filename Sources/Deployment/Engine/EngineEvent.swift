package import Supervisor

/// What the deployer reports to the ``DeploymentEngine``. Instances are named by number, from 1.
package enum EngineEvent: Equatable, Sendable {
    /// Only time has passed: the engine's ``DeploymentEngine/nextDeadline`` has come.
    case timePassed
    /// The catalog may have changed; it should be read now.
    case catalogAnnounced
    /// A package may have become whole.
    case packagesAnnounced
    /// The answer to ``EngineAction/readCatalog``: the named release; `nil`: there is no catalog
    /// yet.
    case catalogRead(Release?)
    /// The catalog cannot be read or makes no sense; the reason is for the log.
    case catalogReadFailed(String)
    /// Answered by ``EngineAction/reply(_:_:)`` with the same number.
    /// With who asked for it, if that is known.
    case commanded(UInt64, EngineCommand, by: String? = nil)

    /// The answer to ``EngineAction/stage(_:_:running:)``: the package stands checked in `new`.
    case staged(InstanceNumber, Release, UpgradeDecision)
    case stagingFailed(InstanceNumber, Release, reason: String)
    /// The answer to ``EngineAction/runPreCommands(_:_:)``, or else ``stagingFailed(_:_:reason:)``
    /// if what they need has gone.
    case preCommandsDone(InstanceNumber, Release)
    case preCommandsFailed(InstanceNumber, Release, reason: String)
    /// The answer to ``EngineAction/promote(_:_:)``: `current` is the new release.
    case promoted(InstanceNumber, Release)
    /// `current` is what it was.
    case promotionFailed(InstanceNumber, Release, reason: String)
    /// The answer to ``EngineAction/hotUpgrade(_:from:to:)`` and
    /// ``EngineAction/resumeHotUpgrade(_:from:to:)``: the new release runs and is permanent.
    /// - Parameter leftBehind: what takes effect with the next start only.
    case hotUpgraded(InstanceNumber, Release, leftBehind: HotUpgrade.Remains = .init())
    case hotUpgradeFailed(InstanceNumber, Release, reason: String, nodeIsUntouched: Bool)
    /// The installation failed, and the node restarts itself.
    case nodeRestarts(InstanceNumber, Release, reason: String)
    /// The new release cannot read its configuration; with `isForeign` the running one cannot
    /// either.
    case configurationFailed(InstanceNumber, Release, reason: String, isForeign: Bool)
    /// The answer to ``EngineAction/revert(_:_:)``: `current` is the release before.
    case reverted(InstanceNumber, DeployedRelease)
    /// `current` is what it was.
    case reversionFailed(InstanceNumber, reason: String)
    /// The answer to ``EngineAction/readLogTail(_:_:)``.
    case logTailRead(InstanceNumber, ReleaseID, lines: [String])

    /// The release about to be started is not the known one: an upgrade in place that counted as
    /// failed has taken effect after all, or one that was made permanent is lost. `nil`: somebody
    /// has removed the release, and nothing can be started.
    case stands(InstanceNumber, DeployedRelease?)
    /// The answers to ``EngineAction/spawn(_:run:)``.
    case spawned(InstanceNumber, ProcessIdentity)
    /// With `isOfRelease` the program itself cannot be run, for example because its interpreter is
    /// missing.
    case spawnFailed(InstanceNumber, reason: String, isOfRelease: Bool = false)
    /// The process of an instance has ended; the rest of its session is being killed.
    case exited(InstanceNumber, ProcessExit)
    /// No process of the session is left.
    case sessionEnded(InstanceNumber)
    /// The answer to ``EngineAction/probe(_:run:_:)``; `run` is the one that was asked about.
    case probed(InstanceNumber, run: Int, ProbeResult)
    /// The distribution connection to the instance's node is up.
    case connected(InstanceNumber, creation: UInt32)
    /// The distribution connection to the instance's node was lost.
    case disconnected(InstanceNumber)

    /// All instances are to be stopped, and deployex is to end after them.
    case shutdownRequested
}

/// What a probe of an instance's node found.
package enum ProbeResult: Equatable, Sendable {
    /// Boot is finished and every required application is started.
    case ready
    /// The node answers, but something is missing; the reason is for the log.
    case notReady(String)
    /// The node cannot be connected to.
    case unreachable(String)
    /// Time does not mend this: something else than the instance answers under the node's name, or
    /// the node and deployex do not let each other in as both are configured now.
    case refused(String)
    /// The node is there and does not answer in time.
    case unresponsive(String)
}
