package import Supervisor

/// Where the dashboard gets the remote shells of instances.
package protocol TerminalBackend: Sendable {
    /// Starts the remote shell of an instance. Called on the loop's thread.
    /// - Parameter onEvent: called on the loop's thread.
    func open(
        _ instance: InstanceNumber, of application: String, size: TerminalSession.Size,
        onEvent: @escaping @Sendable (TerminalSession.Event) -> Void
    ) async throws(DashboardRefusal) -> any OpenedTerminal
}

/// A program on a terminal. Everything is called on the loop's thread.
package protocol OpenedTerminal: AnyObject, Sendable {
    var isReadingPaused: Bool { get set }
    func write(_ bytes: [UInt8]) -> Bool
    func resize(_ size: TerminalSession.Size)
    func kill()
}

extension TerminalSession: OpenedTerminal {}
