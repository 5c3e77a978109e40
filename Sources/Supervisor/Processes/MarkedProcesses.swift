internal import Transport

/// A process that was started with a variable that tells which instance it belongs to.
package struct MarkedProcess: Equatable, Sendable, CustomStringConvertible {
    package var identity: ProcessIdentity
    /// The number of its session.
    package var session: Int32
    var name: String

    package init(identity: ProcessIdentity, session: Int32, name: String) {
        self.identity = identity
        self.session = session
        self.name = name
    }

    /// "4711 (redis-server)"
    package var description: String { "\(identity.pid) (\(SafeText.line(name)))" }

    /// The running processes that have the environment variable `variable` (`NAME=VALUE`) and
    /// belong to `owners`. The owner counts because anybody can start a process with that variable.
    /// An EPMD is left out: it serves the whole host. It blocks.
    static func running(with variable: String, owners: TrustedUsers) -> [MarkedProcess] {
        ProcessStatus.all().filter { status in
            !status.isZombie && status.name != "epmd"
                && ProcFile.user(of: status.pid).map(owners.contains) == true
                && ProcFile.environment(of: status.pid).contains(variable)
        }.map {
            MarkedProcess(identity: ProcessIdentity($0), session: $0.session, name: $0.name)
        }
    }
}
