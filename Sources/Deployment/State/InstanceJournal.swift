/// What is being done to an instance's folders, for a start that finds it half done.
///
/// `service/APP/I/journal.json`; it is there, durably, from before the first step to after the last.
struct InstanceJournal: Codable, Equatable, Sendable {
    enum Operation: String, Codable, Sendable {
        /// `new` becomes `current`, and `current` becomes `previous`.
        case promote
        /// `previous` becomes `current` again.
        case revert
        /// `current` boots the release again that it was upgraded from in place.
        case revertInPlace = "revert_in_place"
        /// The running node is upgraded in place.
        case hotUpgrade = "hot_upgrade"
    }

    var operation: Operation
    /// What `current` was before, if anything.
    var from: DeployedRelease?
    /// What `current` is to be.
    var to: DeployedRelease
}
