internal import Glibc

/// What a signal asks of deployex.
enum ServerSignal: Equatable {
    case end
    case reopenLogs
    /// Nothing: it is meant for another program, or for a deployex that knows it.
    case ignored

    init(_ number: Int32) {
        switch number {
        case SIGTERM, SIGINT: self = .end
        case SIGHUP: self = .reopenLogs
        default: self = .ignored
        }
    }

    /// Those that are watched. They are blocked before any thread exists.
    static let watched: [Int32] = [SIGTERM, SIGINT] + harmless

    /// Those that end a process which does not know them, though nobody asks for its end. SIGQUIT
    /// does, and faults of the program's own are none of them. The last are those of real time; the C
    /// library keeps 32 and 33. Source: signal(7).
    static let harmless: [Int32] =
        [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT]
        + Array(34...64)
}
