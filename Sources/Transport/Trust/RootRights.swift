internal import CLinux
internal import Glibc

/// Gives up root's rights for good. It is for a program that needs them only at the beginning.
package enum RootRights {
    /// The user that owns nothing, for hosts without a user `nobody`. Source: `overflowuid` in
    /// proc(5).
    private static let unprivileged: (user: UInt32, group: UInt32) = (65534, 65534)

    /// Whether this process has root's rights.
    package static var areHeld: Bool { geteuid() == 0 }

    /// From now on no program or thread that is started gets more rights than this one. Call it
    /// before there are other threads.
    package static func renounceNewOnes() throws(SystemError) {
        guard clinux_renounce_new_rights() == 0 else {
            throw .last("renouncing the rights of programs that are set-user-ID")
        }
    }

    /// Makes all threads run as the user `nobody`, with no other groups and no capabilities. A
    /// listening socket that is open keeps root as its owner, by which others recognise it. This
    /// looks the user up, which may block.
    /// - Throws: when it is not permitted, or there is no such user, as in some containers. Some
    ///   rights may be gone then.
    package static func drop() throws(SystemError) {
        var (user, group) = unprivileged
        if let entry = getpwnam("nobody")?.pointee { (user, group) = (entry.pw_uid, entry.pw_gid) }
        // The call itself checks that there is no way back.
        guard clinux_become(user, group, nil, 0, 1) == 0 else {
            throw .last("giving up root's rights")
        }
    }
}
