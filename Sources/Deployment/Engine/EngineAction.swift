package import ErlDist

/// What the deployer is to do. Each action that takes time is answered by an ``EngineEvent``, failed
/// or not; until then the engine does not ask for the same again.
package enum EngineAction: Equatable, Sendable {
    case readCatalog
    /// Fetch the package, check it and unpack it into the instance's `new`; find out whether it can
    /// be hot-upgraded from `running`, the version that runs there (`nil`: none does).
    case stage(Int, Release, running: String?)
    /// `current` becomes `previous`, `new` becomes `current`, and the version files say so.
    case promote(Int, Release)
    /// Upgrade the running node, make it permanent, and let the version files say so.
    case hotUpgrade(Int, from: String, to: Release)
    /// Forget what is staged in `new`.
    case discardStaged(Int)

    /// Start `current`. `run` counts the starts of this instance.
    case spawn(Int, run: Int)
    /// SIGTERM to the instance's process.
    case terminate(Int)
    /// SIGKILL to every process of the instance's session.
    case killSession(Int)
    case probe(Int, run: Int)

    case log(LogLevel, String)
    /// Everything is stopped: the program may end.
    case finish
}
