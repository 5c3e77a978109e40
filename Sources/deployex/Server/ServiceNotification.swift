internal import Transport

/// What deployex tells the service manager that has started it. Source: sd_notify(3).
enum ServiceNotification: Equatable, Sendable {
    /// It supervises; also the end of a reload.
    case ready
    /// It reads anew what it reads at a start; ``ready`` follows.
    case reloading(since: MonotonicTime)
    case stopping
    /// Its event loop works.
    case watchdog
    /// One line for people.
    case status(String)

    /// A status is shown in one line.
    static let maximumStatusLength = 240

    var text: String {
        switch self {
        case .ready: "READY=1"
        case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time.nanoseconds / 1000)"
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        case .status(let text):
            "STATUS=\(SafeText.line(text).prefix(Self.maximumStatusLength))"
        }
    }

    /// One datagram.
    static func datagram(_ notifications: [ServiceNotification]) -> [UInt8] {
        Array(notifications.map(\.text).joined(separator: "\n").utf8)
    }
}
