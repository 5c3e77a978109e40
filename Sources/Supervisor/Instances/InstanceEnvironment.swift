package import Transport

/// The environment that an instance gets: deployex's own, less what is deployex's, plus what makes
/// it this instance.
///
/// Removed, because it would change what the release does or hand it a secret:
/// - `RELEASE_*`: deployex may itself have been started by a release or by its scripts;
/// - `ELIXIR_ERL_OPTIONS`: there deployex reads the switches of its own node, `-setcookie` included;
/// - deployex's secrets: `DEPLOYEX_…` with `SECRET`, `PASSWORD`, `TOKEN` or `COOKIE` in the name;
/// - what systemd gave to deployex alone: `NOTIFY_SOCKET`, `LISTEN_FDS`, `LISTEN_PID`,
///   `LISTEN_FDNAMES`, `WATCHDOG_USEC`, `WATCHDOG_PID`, `INVOCATION_ID`, `JOURNAL_STREAM`,
///   `MAINPID`, `SYSTEMD_EXEC_PID`, `FDSTORE`;
/// - ``Orphans/variable``, where deployex itself is somebody's instance.
///
/// Everything else is passed on: `PATH`, `HOME`, `LANG`; `ERL_FLAGS`, which deployex does not read,
/// so it can only be meant for the applications; and `AWS_*`, since the application runs on the same
/// host and may need the same account.
///
/// Added: `RELEASE_NODE_SUFFIX`, `PORT`; `RELEASE_COOKIE`, deployex's own cookie, without which the two
/// would not talk: every release ships a random one in `releases/COOKIE`, or falls back to one that
/// everybody knows. An application with another user has that user's `HOME`, `USER` and `LOGNAME`.
package struct InstanceEnvironment: Equatable, Sendable {
    /// The port of instance 1; `nil` for an application without one.
    package var firstPort: UInt16?
    /// Deployex's own; `nil` for an application that is no distribution node.
    package var cookie: String?
    /// The user that it runs as, where that is not deployex's.
    package var user: ProcessUser?
    /// Variables that the operator or the deployment adds; they win over all others.
    package var extra: [String: String]

    package init(
        firstPort: UInt16?, cookie: String? = nil, user: ProcessUser? = nil,
        extra: [String: String] = [:]
    ) {
        self.firstPort = firstPort
        self.cookie = cookie
        self.user = user
        self.extra = extra
    }

    /// The whole environment of an instance. Instance 1 gets the first port as `PORT`, and each other
    /// one the next. It is left out beyond 65535, which the configuration does not allow.
    package func variables(
        instance number: InstanceNumber, inherited: [String: String]
    ) -> [String: String] {
        var variables = inherited.filter { !Self.isRemoved($0.key) }
        if let user { variables.merge(user.variables) { $1 } }
        variables["RELEASE_NODE_SUFFIX"] = "-\(number)"
        // The operator's `extra`, and what the release's env.sh exports, come after it and win.
        variables["RELEASE_COOKIE"] = cookie
        if let firstPort {
            variables["PORT"] = Self.port(first: firstPort, instance: number).map { "\($0)" }
        }
        return variables.merging(extra) { $1 }
    }

    /// The port of an instance, or `nil` where there is none of that number.
    package static func port(first: UInt16, instance number: InstanceNumber) -> UInt16? {
        let (port, overflow) = Int(first).addingReportingOverflow(number.offset)
        return overflow ? nil : UInt16(exactly: port)
    }

    private static let removedNames: Set<String> = [
        "ELIXIR_ERL_OPTIONS", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
        "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID",
        "SYSTEMD_EXEC_PID", "FDSTORE", Orphans.variable,
    ]
    private static let secretWords = ["SECRET", "PASSWORD", "TOKEN", "COOKIE"]

    /// Whether an instance does not inherit this variable.
    package static func isRemoved(_ name: String) -> Bool {
        removedNames.contains(name)
            || name.hasPrefix("RELEASE_")
            || (name.hasPrefix("DEPLOYEX_") && secretWords.contains { name.contains($0) })
    }
}
