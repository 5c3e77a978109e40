internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Glibc
internal import TestKit
internal import Transport

/// A running deployex of a site, from its start until it is killed or ends.
struct Manager: Sendable {
    let process: ChildProcess
    /// When it was started.
    let begin: MonotonicTime
    let log: LogFollower
    private let site: Site
    private let node: Node
    private let name: NodeName

    init(
        _ site: Site, replicas: Int, variables: [String: String] = [:]
    ) throws {
        self.site = site
        log = LogFollower(site.logPath)
        begin = .now
        process = try .launch(
            site.deployex, ["start", "--sname", "deployex"],
            environment: site.environment(replicas: replicas, adding: variables),
            output: site.logPath)
        name = try NodeName("deployex@\(ThisHost.name)")
        let epmd = EPMDClient(address: .loopback(port: UInt16(site.epmdPort)), loop: site.loop)
        node = Node(dynamicOn: ThisHost.name, cookie: DeployexSite.cookie, loop: site.loop) {
            name in
            // Everything here listens on this host, whatever its name resolves to.
            [.loopback(port: try await epmd.lookUp(name: name.alive).port)]
        }
    }

    /// `kill -9`; whether it had not ended by itself.
    @discardableResult
    func kill() async -> Bool {
        let wasRunning = !process.hasEnded
        process.kill()
        await node.close()
        return wasRunning
    }

    /// `stop --all`, and the end of deployex.
    func stopAll() async throws {
        _ = try await node.call(name, "deployex", "stop_all", [], timeout: .seconds(60))
        let process = process
        guard await offload({ process.waitForEnd(.seconds(20)) }) != nil else {
            throw TestFailure("deployex (pid \(process.pid)) does not end")
        }
        await node.close()
    }

    /// `nil` while it does not answer.
    func status() async -> ManagerStatus? {
        guard
            let term = try? await node.call(
                name, "deployex", "status", [], timeout: .seconds(2))
        else { return nil }
        return ManagerStatus(term)
    }

    /// Gives a command; whether it was accepted.
    func command(_ function: Atom, _ arguments: [Term] = []) async -> Bool {
        let answer = try? await node.call(
            name, "deployex", function, arguments, timeout: .seconds(2))
        return answer?.asTuple?.first?.asAtom?.name == "ok"
    }

    /// Waits until the status is as wanted.
    func wait(
        _ what: String, for timeout: Duration, until isSo: (ManagerStatus) -> Bool
    ) async throws {
        let deadline = MonotonicTime.now + timeout
        while true {
            if let status = await status(), isSo(status) { return }
            guard MonotonicTime.now < deadline else {
                throw TestFailure(
                    "waited \(Figure.text(timeout)) for \(what); deployex said last:\n"
                        + log.tail(20))
            }
            await site.loop.sleep(for: .milliseconds(20))
        }
    }
}

/// What `deployex:status()` says of the one application.
struct ManagerStatus: Sendable {
    struct Instance: Sendable {
        var number: Int
        var status: String
        var version: String?
        var pid: pid_t?
        var crashRestarts: Int
    }

    var targetVersion: String?
    var ghosted: [String]
    var instances: [Instance]

    /// `nil` when the term has another shape.
    init?(_ term: Term) {
        guard let application = term["apps"]?.asList?.first,
            let instances = application["instances"]?.asList
        else { return nil }
        targetVersion = application["target_version"]?.asText
        ghosted = (application["ghosted"]?.asList ?? []).compactMap { $0["version"]?.asText }
        self.instances = instances.map { instance in
            Instance(
                number: instance["instance"]?.asInteger ?? 0,
                status: instance["status"]?.asText ?? "",
                version: instance["version"]?.asText,
                pid: instance["os_pid"]?.asInteger.map { pid_t($0) },
                crashRestarts: instance["crash_restarts"]?.asInteger ?? 0)
        }
    }

    func allRun(_ version: String) -> Bool {
        instances.allSatisfy { $0.status == "running" && $0.version == version }
    }
}

extension Term {
    /// The value of an atom in a map.
    fileprivate subscript(key: String) -> Term? {
        asMap?.pairs.first { $0.key.asAtom?.name == key }?.value
    }
}

/// Reads what is appended to a log from a certain moment on.
struct LogFollower: Sendable {
    let path: String
    private let begin: Int

    init(_ path: String) {
        self.path = path
        var status = stat()
        begin = stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// What has been written since.
    var text: String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        lseek(file, begin, SEEK_SET)
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { break }
            content += buffer[..<count]
        }
        return String(decoding: content, as: UTF8.self)
    }

    func tail(_ count: Int) -> String {
        text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }

    /// Waits until a line with `text` has been written, looking every half a millisecond.
    func wait(for wanted: String, within timeout: Duration, on loop: EventLoop) async throws {
        let deadline = MonotonicTime.now + timeout
        while !text.contains(wanted) {
            guard MonotonicTime.now < deadline else {
                throw TestFailure(
                    "waited \(Figure.text(timeout)) for \"\(wanted)\" in:\n\(tail(20))")
            }
            await loop.sleep(for: .microseconds(500))
        }
    }
}
