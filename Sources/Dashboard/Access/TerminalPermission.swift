/// From where terminals may be opened, beside what a session may do.
package enum TerminalPermission: Equatable, Sendable {
    case nowhere
    /// By browsers of this host, and not through a proxy for others.
    case onThisHost
    case everywhere
}
