package import ErlDist
package import Supervisor

/// What the deployer is to do. It answers each action that takes time by an ``EngineEvent``, failed
/// or not. Until then the engine does not ask for the same again.
package enum EngineAction: Equatable, Sendable {
    case readCatalog
    /// Fetch the package, check it and unpack it into the instance's `new`. Find out whether the
    /// node can be hot-upgraded to it from `running`, the version that runs there (`nil`: none
    /// does).
    case stage(InstanceNumber, Release, running: String?)
    /// Run the release's pre-commands with the release staged in `new`, in order, until one fails.
    case runPreCommands(InstanceNumber, Release)
    /// `current` becomes `previous`, `new` becomes `current`, and the version files say so.
    case promote(InstanceNumber, Release)
    /// Upgrade the running node, make it permanent, and let the version files say so.
    case hotUpgrade(InstanceNumber, from: String, to: Release)
    /// The end of an earlier deployex cut a hot upgrade short: ask the node what it runs, and
    /// finish the upgrade or clear its remains.
    case resumeHotUpgrade(InstanceNumber, from: String, to: Release)
    /// `previous`, the release given, becomes `current` again.
    case revert(InstanceNumber, ReleaseID)
    /// Remove the release staged in `new`.
    case discardStaged(InstanceNumber)

    /// Start `current`. `run` counts the starts of this instance.
    case spawn(InstanceNumber, run: Int)
    /// SIGTERM to the instance's process, once the decision is on record.
    case terminate(InstanceNumber)
    /// SIGKILL to every process of the instance's session, once the decision is on record.
    case killSession(InstanceNumber)
    case probe(InstanceNumber, run: Int, ProbeKind)

    /// Write the instance's record.
    case note(InstanceNumber, InstanceNote)
    /// Write the application's record, before any later work on the instances' folders.
    case save(ApplicationRecord)
    /// Log that an instance has crashed, with the last line that it printed since its start.
    case logCrash(InstanceNumber, String)
    /// Read the last lines that the instance printed.
    case readLogTail(InstanceNumber, ReleaseID)
    case reply(UInt64, CommandResult)
    case log(LogLevel, String)
    /// Everything is stopped: the program may end.
    case finish
}

package enum ProbeKind: Equatable, Sendable {
    /// Whether it is ready: boot finished, application started, HTTP where it is configured.
    case readiness
    /// Whether it responds at all, by one cheap call.
    case liveness
}

/// What the disk holds about an instance besides its process.
package struct InstanceNote: Equatable, Sendable {
    package var restarts = InstanceMachine.Restarts()
    /// An operator has stopped it.
    package var isStoppedByOperator = false
    /// Which life of the node was seen last.
    package var creation: UInt32?
    /// What only a new process brings into effect.
    package var pendingRestart = PendingRestart()
}
