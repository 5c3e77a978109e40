internal import Transport

/// How the service manager is reached, according to the variables that it has set.
///
/// Source: sd_notify(3), sd_watchdog_enabled(3).
struct ServiceManagerAccess: Equatable, Sendable {
    /// Where its datagram socket is.
    enum Address: Equatable, Sendable {
        case path(String)
        /// A name in Linux's abstract space, without the `@`.
        case abstract(String)

        /// `nil` for an address that is none of a local socket, such as one of a virtual machine.
        init?(_ text: String) {
            // unix(7): the path in an address has 108 bytes, and ends with a zero byte.
            guard text.utf8.count > 1, text.utf8.count < 108, !text.utf8.contains(0) else {
                return nil
            }
            switch text.first {
            case "/": self = .path(text)
            case "@": self = .abstract(String(text.dropFirst()))
            default: return nil
            }
        }

        /// The bytes of `sun_path`.
        var bytes: [UInt8] {
            switch self {
            case .path(let path): Array(path.utf8) + [0]
            case .abstract(let name): [0] + Array(name.utf8)
            }
        }
    }

    /// `nil` when nobody wants to be told.
    var address: Address?
    /// Within which time it wants to hear ``ServiceNotification/watchdog``; `nil` if it does not.
    var watchdogTimeout: Duration?

    /// Takes the variables out of the environment: whatever deployex starts must not speak in its
    /// name.
    init(taking environment: inout [String: String], pid: Int32) {
        address = environment.removeValue(forKey: "NOTIFY_SOCKET").flatMap(Address.init)
        let microseconds = environment.removeValue(forKey: "WATCHDOG_USEC").flatMap { Int64($0) }
        // Without the number of a process, it is meant for all.
        let owner = environment.removeValue(forKey: "WATCHDOG_PID")
        if let microseconds, microseconds > 0, owner == nil || owner == "\(pid)", address != nil {
            watchdogTimeout = .microseconds(microseconds)
        }
    }

    /// How long after a ``ServiceNotification/watchdog`` the next one is sent.
    var watchdogInterval: Duration? { watchdogTimeout.map { $0 / 2 } }
}
