internal import CLinux
internal import Glibc

/// Gives up root's rights for good, for a program that needs them only to begin with.
package enum RootRights {
    /// The user that owns nothing, where the host has no user `nobody`. Source: `overflowuid` in
    /// proc(5).
    private static let unprivileged: (user: UInt32, group: UInt32) = (65534, 65534)

    /// Whether this process has them.
    package static var areHeld: Bool { geteuid() == 0 }

    /// From now on no program that is started, and no thread that is made, gets more rights than
    /// this one. Call it before there are other threads.
    package static func renounceNewOnes() throws(SystemError) {
        guard clinux_renounce_new_rights() == 0 else {
            throw .last("renouncing the rights of programs that are set-user-ID")
        }
    }

    /// All threads become the user `nobody`, with no other groups and no capabilities. A listening
    /// socket that is open keeps root as its owner, by which others recognise it. It looks the user
    /// up, which may block.
    /// - Throws: where it is not allowed to, or has no such user, as in some containers. It may
    ///   have given up some rights.
    package static func drop() throws(SystemError) {
        var (user, group) = unprivileged
        if let entry = getpwnam("nobody")?.pointee { (user, group) = (entry.pw_uid, entry.pw_gid) }
        // The call itself makes sure that there is no way back.
        guard clinux_become(user, group, nil, 0, 1) == 0 else {
            throw .last("giving up root's rights")
        }
    }
}
