/// Bugs that are planted, to see that the simulation finds them. Each is one that somebody might write.
package enum Sabotage: String, Sendable, CaseIterable {
    // In what is done to the disk.
    /// The staged release gets its name before its files are synced.
    case stagesWithoutSync
    /// `current` is renamed away and `new` to its name, instead of one exchange.
    case promotesInTwoSteps
    /// A process runs before its record is written.
    case recordsAfterStart
    /// The application's record is not written.
    case forgetsGhosts
    /// The record of a stop is written after the signal.
    case signalsBeforeRecord
    /// No space is kept for the records of processes.
    case keepsNoSpare
    /// Something is kept outside the base folder.
    case strays

    // In what is done to processes.
    /// A signal goes to a pid, whoever has it now.
    case signalsByPID
    /// What still runs at a start is killed and started again.
    case restartsInsteadOfAdopting
    /// A process is started beside the one that ends.
    case startsTooEarly
    /// All instances are stopped when one is to be.
    case stopsAllAtOnce

    // In what the engine is told.
    /// Any node that is connected counts as ready.
    case takesConnectedForReady
    /// The end of an adopted process goes unnoticed.
    case missesEndsOfAdopted
    /// A failed staging is not reported.
    case losesFailures
    /// A node that does not answer in time is reported as ready.
    case ignoresSilence
    /// A hot upgrade is reported as done though it failed.
    case claimsUpgrades
    /// The creation of a node is not looked at.
    case ignoresCreation
}
