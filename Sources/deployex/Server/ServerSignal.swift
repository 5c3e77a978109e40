internal import Glibc

/// What a signal asks of deployex.
enum ServerSignal: Equatable {
    case end
    case reopenLogs
    /// Nothing: it is meant for another program, or for a deployex that understands it.
    case ignored

    init(_ number: Int32) {
        switch number {
        case SIGTERM, SIGINT: self = .end
        case SIGHUP: self = .reopenLogs
        default: self = .ignored
        }
    }

    /// The signals that are watched. They are blocked before any thread exists.
    static let watched: [Int32] = [SIGTERM, SIGINT] + harmless

    /// The signals that end a process that does not handle them, although their sender does not
    /// want its end. SIGQUIT does mean the end, and signals for the program's own faults are not
    /// included. The last ones are the real-time signals; the C library keeps 32 and 33. Source:
    /// signal(7).
    static let harmless: [Int32] =
        [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT]
        + Array(34...64)
}
