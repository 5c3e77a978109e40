internal import Deployment
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
        log = LogFollower(site)
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

    /// Of the one application; `nil` while deployex does not answer.
    func status() async -> StatusReport.Application? {
        guard
            let term = try? await node.call(
                name, "deployex", "status", [], timeout: .seconds(2))
        else { return nil }
        return StatusReport(reading: term).applications.first
    }

    /// How long after a signal to an instance's process a line with `text` stands in the log.
    func time(
        of signal: Int32, to number: Int, until text: String, within limit: Duration
    ) async throws -> Duration {
        guard let pid = await status()?.instances[number - 1].pid else {
            throw TestFailure("instance \(number) has no process")
        }
        let log = LogFollower(site)
        let begin = MonotonicTime.now
        Glibc.kill(pid_t(pid), signal)
        try await log.wait(for: text, within: limit)
        return .now - begin
    }

    /// Gives a command; whether it was accepted.
    func command(_ function: Atom, _ arguments: [Term] = []) async -> Bool {
        let answer = try? await node.call(
            name, "deployex", function, arguments, timeout: .seconds(2))
        return answer?.asTuple?.first?.asAtom?.name == "ok"
    }

    /// Waits until the status is as wanted.
    func wait(
        _ what: String, for timeout: Duration, until isSo: (StatusReport.Application) -> Bool
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

extension StatusReport.Application {
    func allRun(_ version: String) -> Bool {
        instances.allSatisfy { $0.status == "running" && $0.version == version }
    }
}

/// Reads what is appended to a log from a certain moment on.
struct LogFollower: Sendable {
    private let path: String
    private let loop: EventLoop
    private let begin: Int

    init(_ site: Site) {
        path = site.logPath
        loop = site.loop
        var status = stat()
        begin = stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// What has been written since.
    var text: String { Files.text(path, from: begin) }

    func tail(_ count: Int) -> String {
        text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }

    /// Waits until a line with `text` has been written, looking every half a millisecond.
    func wait(for wanted: String, within timeout: Duration) async throws {
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
