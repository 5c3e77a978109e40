package import Transport

/// The environment of an instance: deployex's own, without deployex's private variables, and with
/// those that make it this instance.
///
/// These are removed, because they would change what the release does or give it a secret:
/// - `RELEASE_*`: deployex may itself have been started by a release or by its scripts;
/// - `ELIXIR_ERL_OPTIONS`: deployex reads its own node's switches there, `-setcookie` included;
/// - deployex's secrets: `DEPLOYEX_…` with `SECRET`, `PASSWORD`, `TOKEN` or `COOKIE` in the name;
/// - what systemd gave to deployex only: `NOTIFY_SOCKET`, `LISTEN_FDS`, `LISTEN_PID`,
///   `LISTEN_FDNAMES`, `WATCHDOG_USEC`, `WATCHDOG_PID`, `INVOCATION_ID`, `JOURNAL_STREAM`,
///   `MAINPID`, `SYSTEMD_EXEC_PID`, `FDSTORE`;
/// - ``Orphans/variable`` and `DEPLOYEX_LISTEN_FD_…`, which are set where deployex itself is another
///   deployex's instance;
/// - deployex's own keys to AWS: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
///   and `CREDENTIALS_DIRECTORY`; an application gets its own by ``extra``.
///
/// Everything else is passed on, also what is not UTF-8: `PATH`, `HOME`, `LANG`; `ERL_FLAGS`, which
/// deployex does not read, so it must be meant for the applications; and `AWS_REGION`.
///
/// Added are:
/// - `RELEASE_NODE` and `RELEASE_DISTRIBUTION`: without them every instance of a release would take
///   the release's name for its node;
/// - `RELEASE_COOKIE`, which is deployex's own cookie: without it deployex and the instance could
///   not talk, as every release ships a random one in `releases/COOKIE`, or falls back to one that
///   everybody knows;
/// - `RELEASE_NODE_SUFFIX`, from which many an `env.sh` makes the node's name, and by which
///   deployex finds the process of an instance again;
/// - `PORT`;
/// - `HOME`, `USER` and `LOGNAME` for an application with another user.
package struct InstanceEnvironment: Equatable, Sendable {
    /// The port of instance 1; `nil` for an application without one.
    package var firstPort: UInt16?
    /// Deployex's own cookie; `nil` for an application that is not a distribution node.
    package var cookie: String?
    package var naming: NodeNaming
    /// The user that the instance runs as, if it is not deployex's.
    package var user: ProcessUser?
    /// Variables that the operator or the deployment adds; they win over all others.
    package var extra: [String: String]

    package init(
        firstPort: UInt16?, cookie: String? = nil, naming: NodeNaming = .short,
        user: ProcessUser? = nil, extra: [String: String] = [:]
    ) {
        self.firstPort = firstPort
        self.cookie = cookie
        self.naming = naming
        self.user = user
        self.extra = extra
    }

    /// The whole environment of an instance. Instance 1 gets the first port as `PORT`, and each
    /// further instance the next one. `PORT` is left out beyond 65535, which the configuration does
    /// not allow.
    package func variables(
        of instance: InstanceName, inherited: [String: String]
    ) -> [String: String] {
        var variables = inherited.filter { !Self.isRemoved($0.key) }
        if let user { variables.merge(user.variables) { $1 } }
        // The operator's `extra`, and exports of the release's env.sh, come later and win.
        variables.merge(naming.variables(of: instance)) { $1 }
        variables["RELEASE_NODE_SUFFIX"] = "-\(instance.number)"
        variables["RELEASE_COOKIE"] = cookie
        if let firstPort {
            variables["PORT"] = Self.port(first: firstPort, instance: instance.number).map {
                "\($0)"
            }
        }
        return variables.merging(extra) { $1 }
    }

    /// The variables that are not UTF-8 and are passed on.
    package static func foreign(_ inherited: [ForeignVariable]) -> [ForeignVariable] {
        inherited.filter { !isRemoved($0.name) }
    }

    /// The port of an instance, or `nil` if there is no port of that number.
    package static func port(first: UInt16, instance number: InstanceNumber) -> UInt16? {
        let (port, overflow) = Int(first).addingReportingOverflow(number.offset)
        return overflow ? nil : UInt16(exactly: port)
    }

    /// With a listener's name in upper case: the number of its descriptor.
    package static let listenPrefix = "DEPLOYEX_LISTEN_FD_"

    private static let removedNames: Set<String> = [
        "ELIXIR_ERL_OPTIONS", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
        "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID",
        "SYSTEMD_EXEC_PID", "FDSTORE", "CREDENTIALS_DIRECTORY", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", Orphans.variable,
    ]
    private static let secretWords = ["SECRET", "PASSWORD", "TOKEN", "COOKIE"]

    /// Whether instances do not inherit this variable.
    package static func isRemoved(_ name: String) -> Bool {
        removedNames.contains(name)
            || name.hasPrefix("RELEASE_") || name.hasPrefix(listenPrefix)
            || (name.hasPrefix("DEPLOYEX_") && secretWords.contains { name.contains($0) })
    }
}
