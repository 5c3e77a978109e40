internal import CLinux
internal import Glibc

/// Opens folders and files that can be believed: only trusted users can have put them there, or can
/// put something else in their place.
///
/// ```swift
/// let base = try PathTrust(remedy: "set DEPLOYEX_BASE_PATH").folder("/var/lib/deployex")
/// let key = try PathTrust().file("/etc/deployex/deployex.key", as: .secret)
/// ```
/// It walks a path from `/` on, name by name. Each name is looked up in the opened folder before
/// it, so that nothing can change between the check and the next step. It follows a link if the
/// link belongs to a trusted user. See ``PathTrustRule`` for what is believed. All calls block.
package struct PathTrust: Sendable {
    package var rule: PathTrustRule
    /// Whether an operator can name further trusted users, with ``TrustedUsers/setting``.
    package var mayNameUsers: Bool
    /// What else helps, beside changing what is at the path, such as "set DEPLOYEX_BASE_PATH to
    /// another folder".
    package var remedy: String?
    /// Whether another file can be named instead. The error suggests that when the owner is not
    /// trusted. It does not suggest taking the file from its owner, who may need it.
    package var isReplaceable = false

    package init(
        users: TrustedUsers = TrustedUsers(), acceptsSystemGroups: Bool = false,
        mayNameUsers: Bool = false, remedy: String? = nil
    ) {
        self.mayNameUsers = mayNameUsers
        rule = PathTrustRule(users: users, acceptsSystemGroups: acceptsSystemGroups)
        self.remedy = remedy
    }

    /// The trust for files that are read: another file can be named instead.
    package static func files(of users: TrustedUsers) -> PathTrust {
        var trust = PathTrust(users: users)
        trust.isReplaceable = true
        return trust
    }

    // MARK: Use

    /// The folder at `path`, opened with O_PATH.
    package func folder(_ path: String) throws(PathTrustError) -> FileDescriptor {
        var walk = try PathWalk(self, path)
        return try walk.folder(makingMissing: nil)
    }

    /// The folder at `path`, opened with O_PATH. If it or folders above it are missing they are
    /// made, with `mode` and durably.
    package func makeFolder(
        _ path: String, mode: UInt32
    ) throws(PathTrustError) -> FileDescriptor {
        var walk = try PathWalk(self, path)
        return try walk.folder(makingMissing: mode)
    }

    /// The file at `path`, opened for reading.
    /// - Parameter role: ``PathTrustRule/Role/file`` or ``PathTrustRule/Role/secret``.
    package func file(
        _ path: String, as role: PathTrustRule.Role = .file
    ) throws(PathTrustError) -> FileDescriptor {
        var walk = try PathWalk(self, path)
        return try walk.file(role)
    }

    /// The owner of the folder at `path`. Only trusted users can have put it there, but anybody may
    /// own the folder itself.
    package func owner(ofFolder path: String) throws(PathTrustError) -> UInt32 {
        var walk = try PathWalk(self, path)
        let entry = try walk.end()
        let raw = Glibc.openat(
            entry.folder.raw, entry.name, clinux_o_path | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw PathTrustError(.last("opening \(path)"), path: path) }
        let folder = FileDescriptor(owning: raw)
        return try Self.entry(of: folder.raw, path).owner
    }

    /// Checks that what is at `path` can be believed or, if nothing is there, what is above it.
    /// - Parameter role: what is expected at `path`.
    package func check(_ path: String, as role: PathTrustRule.Role) throws(PathTrustError) {
        do throws(PathTrustError) {
            switch role {
            case .folder: _ = try folder(path)
            case .file, .secret, .log, .link: _ = try file(path, as: role)
            }
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    /// The file `name` in `folder`, which the caller has opened. It is opened with open(2)'s
    /// `flags`, without following a link, and is then judged.
    /// - Parameter path: the path of the file, for errors.
    package func file(
        _ name: String, in folder: borrowing FileDescriptor, path: String,
        as role: PathTrustRule.Role, flags: Int32, mode: UInt32 = 0
    ) throws(PathTrustError) -> FileDescriptor {
        // Without O_NONBLOCK opening a FIFO would wait for the other side.
        let raw = Glibc.openat(
            folder.raw, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode)
        guard raw >= 0 else {
            switch clinux_errno() {
            case ELOOP: throw PathTrustError(path: path, place: path, reason: .link)
            // It is a socket, or a FIFO that nobody reads.
            case ENXIO: throw error(path, path, .notAFile(.other))
            default: throw PathTrustError(.last("opening \(path)"), path: path)
            }
        }
        let file = FileDescriptor(owning: raw)
        try judge(Self.entry(of: raw, path), as: role, path: path, place: path)
        return file
    }

    // MARK: Judging

    func judge(
        _ entry: PathEntry, as role: PathTrustRule.Role, path: String, place: String
    ) throws(PathTrustError) {
        let groups = GroupTrust(
            users: rule.users, user: UserDatabase.user(id:), group: GroupDatabase.group(id:))
        if let problem = rule.problem(entry, as: role, groups: groups) {
            throw error(path, place, problem)
        }
    }

    func error(
        _ path: String, _ place: String, _ problem: PathTrustRule.Problem
    ) -> PathTrustError {
        var remedies: [String] = []
        if mayNameUsers, let user = problem.user {
            remedies.append(
                "name \(UserDatabase.user(id: user)?.name ?? "\(user)") in"
                    + " \(TrustedUsers.setting)")
        }
        if let remedy { remedies.append(remedy) }
        if case .owner = problem, isReplaceable {
            let names = rule.users.all.sorted().map { UserDatabase.user(id: $0)?.name ?? "\($0)" }
            remedies.append("use one that belongs to \(names.joined(separator: " or "))")
        }
        return PathTrustError(
            path: path, place: place, reason: .untrusted(problem),
            remedy: remedies.isEmpty ? nil : remedies.joined(separator: ", or "))
    }

    /// What the file system says about an opened descriptor.
    static func entry(of raw: Int32, _ path: String) throws(PathTrustError) -> PathEntry {
        var status = stat()
        guard fstat(raw, &status) == 0 else {
            throw PathTrustError(.last("looking at \(path)"), path: path)
        }
        let kind: PathEntry.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .link
            default: .other
            }
        var entry = PathEntry(
            kind: kind, owner: status.st_uid, group: status.st_gid,
            mode: UInt32(status.st_mode) & 0o7777, linkCount: UInt64(status.st_nlink))
        // If the group has no permissions, nobody gets any from a list.
        guard entry.mode & 0o070 != 0, kind == .file || kind == .folder else { return entry }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = clinux_access_list(raw, &buffer, buffer.count)
        guard count != 0 else { return entry }
        guard count > 0, let list = AccessList(buffer[..<count]) else {
            throw PathTrustError(
                .last("reading the access control list of \(path)"), path: path)
        }
        entry.accessList = list
        return entry
    }
}
