internal import CLinux
internal import Glibc
internal import Transport

/// Tells the service manager how deployex is. Without one it does nothing.
///
/// A datagram that finds no room is sent again, in order, until there is room. A manager that has
/// gone is not missed.
actor ServiceManager {
    private nonisolated let loop: EventLoop
    private let access: ServiceManagerAccess
    private let socket: DatagramSocket?
    private var waiting: [[UInt8]] = []
    private var timer: LoopTimer?
    private var retry: LoopTimer?
    private var isClosed = false
    private var status = ""

    /// The oldest ones are dropped: what comes later says more.
    private static let maximumWaiting = 16

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ access: ServiceManagerAccess, loop: EventLoop) {
        self.access = access
        self.loop = loop
        socket = access.address.flatMap(DatagramSocket.init)
    }

    func tell(_ notifications: ServiceNotification...) {
        guard socket != nil, !isClosed else { return }
        waiting.append(ServiceNotification.datagram(notifications))
        if waiting.count > Self.maximumWaiting { waiting.removeFirst() }
        send()
    }

    /// Tells the status if it is another than the last one.
    func tell(status text: String) {
        guard text != status else { return }
        status = text
        tell(.status(text))
    }

    /// Feeds the watchdog from now on, twice in its time: each time the loop's timers fire, its
    /// jobs run, and `check` returns. When that no longer happens, the manager ends this process
    /// and starts another.
    func feedWatchdog(after check: @escaping @Sendable () async -> Void) {
        guard let interval = access.watchdogInterval, socket != nil, !isClosed else { return }
        tell(.watchdog)
        timer = loop.schedule(after: interval) { [weak self] in
            guard let self else { return }
            Task(executorPreference: loop) {
                await check()
                await self.feedWatchdog(after: check)
            }
        }
    }

    func close() {
        isClosed = true
        timer?.cancel()
        retry?.cancel()
        waiting = []
    }

    private func send() {
        while let next = waiting.first {
            guard socket?.send(next) != .noRoom else {
                retry?.cancel()
                retry = loop.schedule(after: .milliseconds(50)) { [weak self] in
                    self?.assumeIsolated { $0.send() }
                }
                return
            }
            waiting.removeFirst()
        }
    }
}

/// A socket that sends datagrams to one local address.
private struct DatagramSocket: ~Copyable {
    private let descriptor: FileDescriptor
    private let address: sockaddr_un
    private let length: socklen_t

    enum Outcome: Equatable {
        case sent, noRoom
        /// Nobody takes it.
        case lost
    }

    init?(_ target: ServiceManagerAccess.Address) {
        let raw = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
                | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { return nil }
        descriptor = FileDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = target.bytes
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        self.address = address
        // An abstract name ends where the address ends.
        length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    }

    borrowing func send(_ bytes: [UInt8]) -> Outcome {
        let count = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
        if count >= 0 { return .sent }
        let code = clinux_errno()
        return code == EAGAIN || code == ENOBUFS || code == EINTR ? .noRoom : .lost
    }
}
