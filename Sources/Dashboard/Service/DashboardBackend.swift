package import Deployment

/// What the dashboard shows and does. Everybody who asks deployex for something has the same
/// answers: commands, pages, and machines.
package protocol DashboardBackend: Sendable {
    func status() async -> StatusReport

    /// - Parameter application: `nil` for all of them.
    func versions(of application: String?) async -> VersionsReport

    /// Carries a command out.
    /// - Parameter caller: who asked for it, for the log.
    func perform(
        _ command: EngineCommand, of application: String, by caller: String
    ) async throws(DashboardRefusal) -> String

    /// Returns as soon as the state of some application is newer than `seen`, or after `limit`.
    /// - Returns: the revision then; `seen` itself after `limit`.
    func change(after seen: Int, by observer: String, within limit: Duration)
        async throws(DashboardRefusal) -> Int
}

/// Why something is not done.
package struct DashboardRefusal: Error, Equatable {
    package enum Kind: Equatable, Sendable {
        /// The request cannot be understood.
        case malformed
        /// There is no such application, instance or version.
        case notFound
        /// It cannot be done in the present state.
        case conflict
        /// Too many wait already, or deployex is ending.
        case unavailable
    }

    package var kind: Kind
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }
}
