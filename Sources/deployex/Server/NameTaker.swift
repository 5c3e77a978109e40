internal import Deployment
internal import Supervisor
internal import Transport

/// Finds who holds the sockets of a node that has an instance's name without being the instance,
/// for the error that says so. Most often another deployex has started it, or this one with another
/// base path.
enum NameTaker {
    /// The last answer. A taken name is dialled again and again, and each search looks at every
    /// process of the host.
    private static let last = Guarded<(inodes: Set<UInt64>, words: String)?>(nil)

    /// Why `sockets` are refused: `text`, and
    /// `, OS process 7 in FOLDER, of a deployex with the base path BASE` as far as it can be found
    /// out. A socket that no process holds is just being closed, and has taken no name. It blocks.
    static func refusal(
        of sockets: Set<ListeningSocket>, _ text: String
    ) -> ListenerRefusal.Reason {
        let finding = find(Set(sockets.map(\.inode)), of: Set(sockets.map(\.user)))
        return finding.map { .notItsOwn(text + $0) } ?? .changed
    }

    /// As above, of connected sockets.
    static func words(_ inodes: Set<UInt64>, of user: UInt32) -> String {
        find(inodes, of: [user]) ?? ""
    }

    /// `nil` when no process holds the sockets.
    private static func find(_ inodes: Set<UInt64>, of users: Set<UInt32>) -> String? {
        if let last = last.withLock({ $0 }), last.inodes == inodes { return last.words }
        let words: String
        switch SocketHolder.find(inodes, of: users) {
        case .nobody: return nil
        case .unknown: words = ""
        case .found(let holder): words = self.words(holder)
        }
        last.withLock { $0 = (inodes, words) }
        return words
    }

    private static func words(_ holder: SocketHolder) -> String {
        let process = ", OS process \(holder.pid)"
        guard let folder = holder.folder else { return process }
        guard let base = DeploymentLayout.basePath(of: folder) else {
            return process + " in \(folder)"
        }
        return process + ", of a deployex with the base path \(base)"
    }
}
