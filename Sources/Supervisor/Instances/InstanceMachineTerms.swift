/// The inputs and outputs of an ``InstanceMachine``.
extension InstanceMachine {
    package enum Status: String, Codable, Sendable, CaseIterable {
        case idle, starting, running, stopping, backoff, failed
    }

    package enum Action: Equatable, Sendable {
        /// Start a process; answer with `spawned` or `spawnFailed`.
        case spawn
        /// Ask the session to end: its leader by SIGTERM, and the rest when the leader has ended.
        case terminate
        /// Send SIGKILL to the whole session.
        case killSession
        /// Information for the log and for the deployment; nothing has to be done.
        case report(Report)
    }

    package enum Report: Equatable, Sendable {
        case started(ProcessIdentity)
        case ready
        /// `count` crashes in a row, this one included.
        case crashed(ProcessExit, count: Int, restartIn: Duration)
        /// The program restarted in the same process; `count` crashes in a row, this one included.
        case rebooted(count: Int)
        case cannotStart(reason: String, count: Int, restartIn: Duration)
        /// The process ignored SIGTERM for the whole stop timeout.
        case killed
        /// The stop that was asked for is complete: nothing of the session is left. `nil` when
        /// nothing was running.
        case stopped(ProcessExit?)
    }

    /// How often the instance was restarted, over its life.
    package struct Restarts: Equatable, Codable, Sendable {
        /// After an end that nobody asked for.
        package var crash: Int
        /// Because the operator asked.
        package var forced: Int

        package init(crash: Int = 0, forced: Int = 0) {
            self.crash = crash
            self.forced = forced
        }
    }
}
