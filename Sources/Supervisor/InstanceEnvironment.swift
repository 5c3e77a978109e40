/// The environment that an instance gets: deployex's own, less what is deployex's, plus what makes
/// it this instance.
///
/// Removed, because it would change what the release does or hand it a secret:
/// - `RELEASE_*`: deployex may itself have been started by a release or by its scripts;
/// - `ELIXIR_ERL_OPTIONS`: there deployex reads the switches of its own node, `-setcookie` included;
/// - deployex's secrets: `DEPLOYEX_…` with `SECRET`, `PASSWORD`, `TOKEN` or `COOKIE` in the name;
/// - what systemd gave to deployex alone: `NOTIFY_SOCKET`, `LISTEN_FDS`, `LISTEN_PID`,
///   `LISTEN_FDNAMES`, `WATCHDOG_USEC`, `WATCHDOG_PID`, `INVOCATION_ID`, `JOURNAL_STREAM`,
///   `MAINPID`, `SYSTEMD_EXEC_PID`, `FDSTORE`.
///
/// Everything else is passed on: `PATH`, `HOME`, `LANG`; `ERL_FLAGS`, which deployex does not read,
/// so it can only be meant for the applications; and `AWS_*`, since the application runs as the same
/// user on the same host and may need the same account.
package struct InstanceEnvironment: Equatable, Sendable {
    /// The port of instance 1; `nil` for an application without one.
    package var firstPort: UInt16?
    /// Variables that the operator or the deployment adds; they win over all others.
    package var extra: [String: String]

    package init(firstPort: UInt16?, extra: [String: String] = [:]) {
        self.firstPort = firstPort
        self.extra = extra
    }

    /// The whole environment of instance `index`, counted from 1. `PORT` is the first port + index
    /// − 1, and is left out beyond 65535, which the configuration does not allow.
    package func variables(
        instance index: Int, inherited: [String: String]
    ) -> [String: String] {
        var variables = inherited.filter { !Self.isRemoved($0.key) }
        variables["RELEASE_NODE_SUFFIX"] = "-\(index)"
        if let firstPort {
            variables["PORT"] = Self.port(first: firstPort, instance: index).map { "\($0)" }
        }
        return variables.merging(extra) { $1 }
    }

    /// The port of an instance, or `nil` where there is none of that number.
    package static func port(first: UInt16, instance index: Int) -> UInt16? {
        let (port, overflow) = Int(first).addingReportingOverflow(index &- 1)
        return overflow ? nil : UInt16(exactly: port)
    }

    private static let removedNames: Set<String> = [
        "ELIXIR_ERL_OPTIONS", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
        "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID",
        "SYSTEMD_EXEC_PID", "FDSTORE",
    ]
    private static let secretWords = ["SECRET", "PASSWORD", "TOKEN", "COOKIE"]

    /// Whether an instance does not inherit this variable.
    package static func isRemoved(_ name: String) -> Bool {
        removedNames.contains(name)
            || name.hasPrefix("RELEASE_")
            || (name.hasPrefix("DEPLOYEX_") && secretWords.contains { name.contains($0) })
    }
}
