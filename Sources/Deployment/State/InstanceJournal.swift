/// The change under way in an instance's folders, for a start that finds it half done.
///
/// It is in `service/APP/I/journal.json`, durably, from before the first step until after the last.
struct InstanceJournal: Codable, Equatable, Sendable {
    enum Operation: String, Codable, Sendable {
        /// `new` becomes `current`, and `current` becomes `previous`.
        case promote
        /// `previous` becomes `current` again.
        case revert
        /// `current` again boots the release from which it was upgraded in place.
        case revertInPlace = "revert_in_place"
        /// The running node is upgraded in place.
        case hotUpgrade = "hot_upgrade"
    }

    var operation: Operation
    /// The release in `current` before, if any.
    var from: DeployedRelease?
    /// The release that `current` is to hold.
    var to: DeployedRelease
}
