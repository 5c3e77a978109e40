/// Who may have something answered.
package enum AccessLevel: String, Equatable, Sendable {
    /// Everybody.
    case open
    /// Programs of this host, and everybody else as with ``viewer``.
    case figures
    /// Whoever may read: a session of either role, or the API's token.
    case viewer
    /// Whoever may act: an administrator's session, or the API's token.
    case administrator
    /// An administrator's session that has proved itself again, where terminals are allowed. The
    /// API's token is not enough.
    case terminal
}
