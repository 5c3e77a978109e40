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

    /// `, OS process 7 in FOLDER, of a deployex with the base path BASE`, as far as it can be found
    /// out. It blocks.
    static func words(_ inodes: Set<UInt64>) -> String {
        guard !inodes.isEmpty else { return "" }
        if let last = last.withLock({ $0 }), last.inodes == inodes { return last.words }
        let words = SocketHolder.find(inodes).map(words) ?? ""
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
