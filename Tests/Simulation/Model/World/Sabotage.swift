internal import TestKit

/// Bugs that are planted, to see that the simulation finds them. Each is one that somebody might write, and
/// each is in one of the effects: the deployer is the one that ships.
package enum Sabotage: String, Sendable, CaseIterable {
    // In what is done to the disk.
    /// The staged release gets its name before its files are synced.
    case stagesWithoutSync
    /// Two folders change places in three renames instead of one exchange.
    case promotesInTwoSteps
    /// A process runs before its record is written.
    case recordsAfterStart
    /// The application's record is not written.
    case forgetsGhosts
    /// A signal follows a decision that is not written.
    case signalsBeforeRecord
    /// No space is kept for the records of processes.
    case keepsNoSpare
    /// Something is kept outside the base folder.
    case strays
    /// A removed folder is not made again before a start.
    case leavesFoldersRemoved

    // In what is done to processes.
    /// A signal goes to a pid, whoever has it now.
    case signalsByPID
    /// What still runs at a start is killed and started again.
    case restartsInsteadOfAdopting
    /// A process is started beside the one that ends.
    case startsTooEarly
    /// All instances are stopped when one is to be.
    case stopsAllAtOnce
    /// What has left the session of an ended instance is not stopped.
    case forgetsLeftovers

    // In what nodes answer.
    /// Any node that is connected counts as ready.
    case takesConnectedForReady
    /// The end of an adopted process goes unnoticed.
    case missesEndsOfAdopted
    /// A failed staging is not reported.
    case losesFailures
    /// A node that does not answer in time counts as alive.
    case ignoresSilence
    /// A hot upgrade counts as done though it failed.
    case claimsUpgrades
    /// The creation of a node is not looked at.
    case ignoresCreation

    // In how the driver runs.
    /// The application's record is written some time after it counts as written.
    case savesLater
    /// The record of an instance is written some time after it counts as written.
    case recordsLater
    /// Now and then work is not waited for that returns nothing.
    case dropsAwaits
    /// Now and then a timer never fires.
    case losesTimers
    /// Now and then nobody is told that a process has exited.
    case losesExits
    /// Now and then nobody is told that nothing is left of a session.
    case losesEnds
    /// Nobody is told that a node has connected.
    case losesConnections
    /// A read of the catalog never returns, now and then.
    case losesReads

    /// In how many of a hundred cases it loses something.
    var share: Int {
        switch self {
        case .losesTimers: 2
        case .losesConnections: 100
        case .losesReads: 20
        default: 10
        }
    }
}

extension SimulatedWorld {
    /// Whether this bug, if it is the one that is planted, loses something now.
    func isLost(_ bug: Sabotage) -> Bool {
        sabotage == bug && random.chance(bug.share)
    }
}
