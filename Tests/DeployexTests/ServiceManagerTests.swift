import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment
@testable import deployex

/// The socket of a service manager.
private final class ManagerSocket: Sendable {
    private let descriptor: Int32

    /// - Parameter address: a path, or a name in the abstract space after `@`.
    init(_ address: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        withUnsafeMutableBytes(of: &target.sun_path) { path in
            path.copyBytes(from: bytes)
            if address.hasPrefix("@") { path[0] = 0 }
        }
        let length = socklen_t(
            MemoryLayout<sa_family_t>.size + bytes.count + (address.hasPrefix("@") ? 0 : 1))
        let result = withUnsafePointer(to: target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    /// The next datagram; it blocks.
    func receive() async -> String {
        await offload { [descriptor] in
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct ServiceManagerTests {
    @Test(arguments: [
        ("/run/systemd/notify", ServiceManagerAccess.Address.path("/run/systemd/notify")),
        ("@org/notify", .abstract("org/notify")), ("", nil), ("/", nil), ("@", nil),
        ("vsock:2:9999", nil), ("run/notify", nil), ("/\(String(repeating: "a", count: 107))", nil),
    ])
    func `a socket is a path or an abstract name`(
        _ text: String, _ expected: ServiceManagerAccess.Address?
    ) {
        #expect(ServiceManagerAccess.Address(text) == expected)
    }

    @Test func `the variables of the service manager are taken out of the environment`() {
        var environment = [
            "NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7", "HOME": "/",
        ]
        let access = ServiceManagerAccess(taking: &environment, pid: 7)
        #expect(environment == ["HOME": "/"])
        #expect(access.address == .path("/run/n"))
        #expect(access.watchdogTimeout == .seconds(3))
        #expect(access.watchdogInterval == .milliseconds(1500))
    }

    @Test(arguments: [
        ["WATCHDOG_USEC": "3000000"],
        ["NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"],
        ["NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"],
        ["NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "-5"],
        ["NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"], ["NOTIFY_SOCKET": "/run/n"], [:],
    ])
    func `a watchdog that is another process's, or none, is not fed`(_ given: [String: String]) {
        var environment = given
        #expect(ServiceManagerAccess(taking: &environment, pid: 7).watchdogInterval == nil)
        #expect(environment.isEmpty)
    }

    @Test func `notifications are lines of the protocol, and a status is one line`() {
        func text(_ notifications: ServiceNotification...) -> String {
            String(decoding: ServiceNotification.datagram(notifications), as: UTF8.self)
        }
        #expect(text(.ready, .status("a\nREADY=1")) == "READY=1\nSTATUS=a | READY=1")
        #expect(
            text(.reloading(since: MonotonicTime(nanoseconds: 5_000_999)))
                == "RELOADING=1\nMONOTONIC_USEC=5000")
        #expect(text(.stopping) == "STOPPING=1")
        #expect(text(.watchdog) == "WATCHDOG=1")
        let long = text(.status(String(repeating: "é", count: 4000)))
        #expect(long.count == "STATUS=".count + ServiceNotification.maximumStatusLength)
    }

    @Test(arguments: [true, false])
    func `a manager receives what it is told, in order`(_ isAbstract: Bool) async throws {
        let folder = TemporaryFolder()
        let address = (isAbstract ? "@" : "") + folder.path + "/notify"
        let socket = try ManagerSocket(address)
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        var environment = ["NOTIFY_SOCKET": address]
        let manager = ServiceManager(
            ServiceManagerAccess(taking: &environment, pid: getpid()), loop: loop)
        await manager.tell(.ready)
        #expect(await socket.receive() == "READY=1")
        // More than the kernel keeps for a reader (net.unix.max_dgram_qlen), and nothing waits
        // for one: what does not fit comes later.
        for number in 0..<30 { await manager.tell(status: "\(number % 15)") }
        await manager.tell(status: "14")
        await manager.tell(.stopping)
        var seen: [String] = []
        while seen.last != "STOPPING=1" { seen.append(await socket.receive()) }
        let statuses = seen.dropLast()
        #expect(statuses.allSatisfy { $0.hasPrefix("STATUS=") })
        #expect(statuses.last == "STATUS=14")
        #expect(zip(statuses, statuses.dropFirst()).allSatisfy { $0 != $1 })
        await manager.close()
    }

    @Test func `the watchdog is fed again and again, and only after the check`() async throws {
        let folder = TemporaryFolder()
        let socket = try ManagerSocket(folder.path + "/notify")
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        var environment = [
            "NOTIFY_SOCKET": folder.path + "/notify", "WATCHDOG_USEC": "2000",
            "WATCHDOG_PID": "\(getpid())",
        ]
        let manager = ServiceManager(
            ServiceManagerAccess(taking: &environment, pid: getpid()), loop: loop)
        let checks = Guarded(0)
        let (reached, gate) = AsyncStream.makeStream(of: Void.self)
        await manager.feedWatchdog {
            if checks.withLock({
                $0 += 1
                return $0
            }) < 4 {
                return
            }
            gate.yield()
            // What never returns stops the feeding.
            while !Task.isCancelled { await loop.sleep(for: .seconds(60)) }
        }
        for await _ in reached { break }
        // The check that does not return has begun: one datagram at the start, and one for each of
        // the three before it.
        for _ in 0..<4 { #expect(await socket.receive() == "WATCHDOG=1") }
        await manager.tell(.stopping)
        #expect(await socket.receive() == "STOPPING=1")
        await manager.close()
    }

    @Test func `without a manager, or with one that has gone, nothing happens`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        for variables in [[:], ["NOTIFY_SOCKET": TemporaryFolder().path + "/gone"]] {
            var environment = variables
            let manager = ServiceManager(
                ServiceManagerAccess(taking: &environment, pid: getpid()), loop: loop)
            await manager.feedWatchdog {}
            await manager.tell(.ready)
            await manager.close()
        }
    }

    @Test func `the status counts the instances that are wanted`() {
        func application(_ name: String, _ statuses: [InstanceStatus?]) -> ApplicationSnapshot {
            ApplicationSnapshot(
                application: name, targetVersion: name == "new" ? nil : "1.2", ghosted: [],
                history: [],
                instances: zip(InstanceNumber.first(9), statuses).map { number, status in
                    InstanceSnapshot(
                        number: number, status: status ?? .idle,
                        current: nil, previous: nil, isConnected: false,
                        isStoppedByOperator: status == nil, identity: nil, startedAt: nil,
                        crashRestarts: 0, forcedRestarts: 0)
                })
        }
        #expect(
            ServiceStatus.text([
                application("counter", [.running, .backoff, nil]), application("new", []),
            ]) == "counter 1.2: 1 of 2 instances run; new: 0 of 0 instances run")
        let many = (1...9).map { application("a\($0)", []) }
        #expect(ServiceStatus.text(many).hasSuffix("; 3 more"))
    }
}
