internal import Transport

/// A process that an instance has started: its environment says so, or its control group.
package struct MarkedProcess: Equatable, Sendable, CustomStringConvertible {
    package var identity: ProcessIdentity
    /// The number of its session.
    package var session: Int32
    var name: String
    /// Whether it is in the instance's control group, which nothing can forge.
    package var isInGroup: Bool

    package init(
        identity: ProcessIdentity, session: Int32, name: String, isInGroup: Bool = false
    ) {
        self.identity = identity
        self.session = session
        self.name = name
        self.isInGroup = isInGroup
    }

    private init(_ status: ProcessStatus, isInGroup: Bool) {
        self.init(
            identity: ProcessIdentity(status), session: status.session, name: status.name,
            isInGroup: isInGroup)
    }

    /// "4711 (redis-server)"
    package var description: String { "\(identity.pid) (\(SafeText.line(name)))" }

    /// The running processes of an instance: those in its control group, and those that have the
    /// environment variable `variable` (`NAME=VALUE`, the value is the instance's folder) and belong
    /// to `owners`. The owner counts because anybody can start a process with that variable. An EPMD
    /// is left out: it serves the whole host. It blocks.
    static func running(
        with variable: String, owners: TrustedUsers, groups: ControlGroups?
    ) -> [MarkedProcess] {
        let mark = variable.drop { $0 != "=" }.dropFirst()
        let inGroup = groups?.group(marked: String(mark)).members() ?? []
        let found = inGroup.compactMap { handle in
            ProcessStatus.ofProcess(handle.identity.pid).flatMap { status in
                handle.hasExited ? nil : MarkedProcess(status, isInGroup: true)
            }
        }
        let pids = Set(found.map(\.identity.pid))
        let marked = ProcessStatus.all().filter { status in
            !status.isZombie && status.name != "epmd" && !pids.contains(status.pid)
                && ProcFile.user(of: status.pid).map(owners.contains) == true
                && ProcFile.environment(of: status.pid).contains(variable)
        }
        return found + marked.map { MarkedProcess($0, isInGroup: false) }
    }
}
