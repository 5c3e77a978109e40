import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Requests to an application for which deployex listens, whatever ends meanwhile.
@Suite struct HeldSocketsTests {
    /// What each client may lose when the instance that answers it is killed: the request under way.
    private static let clientCount = 3

    private func underLoad(
        _ world: DeployexWorld, _ what: String, kinds: [LoadClient.Kind] = LoadClient.Kind.allCases,
        _ body: () async throws -> Void
    ) async throws -> LoadClient.Figures {
        let load = LoadClient(port: world.heldPort, count: Self.clientCount, kinds: kinds)
        return try await attempt {
            try await world.waitForAnswers(of: load, beyond: 0)
            try await body()
            // What was asked at the end is answered as well.
            try await world.waitForAnswers(of: load, beyond: load.answerCount + 50)
            let figures = load.stop()
            print("\(what): \(figures)")
            return figures
        } thenAlways: {
            _ = load.stop()
        }
    }

    @Test func `no request is lost while instances, deployex and the holder come and go`()
        async throws
    {
        try await DeployexWorld.runHolding(replicas: 3) { world in
            try await world.startHolding()
            try await world.publish("0.1.0")
            try await world.waitUntilStatus("0.1.0")

            var figures = try await underLoad(world, "restart of an instance") {
                let result = try await world.command("restart", "counter-1")
                #expect(result.status == 0, "\(result)")
            }
            #expect(figures.failures == [])
            #expect(figures.instances == [1, 2, 3])

            figures = try await underLoad(world, "full deployment") {
                try await world.publish("0.1.1")
                try await world.waitUntilStatus("0.1.1")
            }
            #expect(figures.failures == [])

            let holder = try #require(await world.holder)
            figures = try await underLoad(world, "kill -9 of deployex") {
                #expect(try await world.endDeployex(SIGKILL) == 128 + SIGKILL)
                try await world.startHolding()
                try await world.waitUntilStatus("0.1.1")
            }
            #expect(figures.failures == [])
            #expect(await world.holder == holder)
            try await world.waitForLog("of them since an earlier deployex")

            figures = try await underLoad(world, "kill -9 of the holder") {
                #expect(kill(holder, SIGKILL) == 0)
                try await world.waitForLog("that holds the sockets is gone")
                try await world.waitForHolder(otherThan: holder)
            }
            #expect(figures.failures == [])

            figures = try await underLoad(world, "kill -9 of both") {
                let second = try #require(await world.holder)
                #expect(try await world.endDeployex(SIGKILL) == 128 + SIGKILL)
                #expect(kill(second, SIGKILL) == 0)
                try await world.waitUntilGone(second)
                try await world.startHolding()
                try await world.waitUntilStatus("0.1.1")
            }
            #expect(figures.failures == [])
            if geteuid() == 0 {
                try await world.waitForLog("over from a running instance")
                figures = try await underLoad(world, "restart after that") {
                    let result = try await world.command("restart", "counter-2")
                    #expect(result.status == 0, "\(result)")
                }
                #expect(figures.failures == [])
            }

            figures = try await underLoad(world, "kill -9 of an instance") {
                let pid = try #require(try await world.status(of: 1).osPid)
                await world.kill(pid)
                try await world.waitForCrash(of: 1)
                try await world.waitUntilStatus("0.1.1")
            }
            let lost = figures.failures.count + figures.closedWhileIdleCount
            #expect(lost <= Self.clientCount * 2, "\(figures)")
            #expect(!figures.failures.contains { $0.hasPrefix("connecting") })

            let stopped = try await world.command("stop", "--all")
            #expect(stopped.status == 0)
            #expect(try await world.waitForDeployex() == 0)
            #expect(!FreePorts.isListening(world.heldPort))
            try await world.waitForNoStrays()
            #expect(!FileManager.default.fileExists(atPath: world.base + "/held.sock"))
        }
    }

    @Test func `with one replica, requests wait until the next process accepts`() async throws {
        try await DeployexWorld.runHolding(replicas: 1) { world in
            try await world.startHolding()
            try await world.publish("0.1.0")
            try await world.waitUntilStatus("0.1.0")
            let restart = try await underLoad(world, "restart of the only instance") {
                let result = try await world.command("restart", "counter-1")
                #expect(result.status == 0, "\(result)")
            }
            #expect(restart.failures == [])
            let crash = try await underLoad(world, "kill -9 of the only instance") {
                await world.kill(try #require(try await world.status(of: 1).osPid))
                try await world.waitForCrash(of: 1)
                try await world.waitUntilStatus("0.1.0")
            }
            #expect(!crash.failures.contains { $0.hasPrefix("connecting") }, "\(crash)")
            let lost = crash.failures.count + crash.closedWhileIdleCount
            #expect(lost <= Self.clientCount * 2, "\(crash)")
            // Only the holder has the socket then.
            let both = try await underLoad(world, "kill -9 of deployex and the only instance") {
                let pid = try #require(try await world.status(of: 1).osPid)
                #expect(try await world.endDeployex(SIGKILL) == 128 + SIGKILL)
                await world.kill(pid)
                try await world.waitUntilGone(pid)
                #expect(FreePorts.isListening(world.heldPort))
                try await world.startHolding()
                try await world.waitUntilStatus("0.1.0")
            }
            #expect(!both.failures.contains { $0.hasPrefix("connecting") }, "\(both)")
            // Without a deployex, the command ends the holder by itself.
            let holder = try #require(await world.holder)
            #expect(try await world.endDeployex(SIGKILL) == 128 + SIGKILL)
            #expect(try await world.command("stop", "--all").status == 0)
            #expect(!FreePorts.isListening(world.heldPort))
            try await world.waitUntilGone(holder)
        }
    }

    @Test func `an instance alone has the sockets, and is told of them`() async throws {
        try await DeployexWorld.runHolding(replicas: 1) { world in
            try await world.startHolding()
            try await world.place("0.1.0")
            let fds =
                "for(f <- File.ls!(~s(/proc/self/fd)), do: :file.read_link(~s(/proc/self/fd/) <> f))"
            let command =
                "eval 'IO.inspect({System.get_env(~s(LISTEN_FDS)), \(fds)}, limit: :infinity)'"
            try await world.publish(
                catalog: #"{"version":"0.1.0","hash":"local","pre_commands":["\#(command)"]}"#)
            try await world.waitUntilStatus("0.1.0")
            let pid = try #require(try await world.status(of: 1).osPid)
            let variables = ProcFolder.environment(pid)
            #expect(variables["LISTEN_FDS"] == "1")
            #expect(variables["LISTEN_FDNAMES"] == "http")
            #expect(variables["LISTEN_PID"] == "\(pid)")
            #expect(variables["DEPLOYEX_LISTEN_FD_HTTP"] == "3")
            let socket = try #require(ProcFolder.descriptors(pid)[3])
            #expect(socket.hasPrefix("socket:["))
            // The start script has become the virtual machine: the pid is its own.
            #expect(ProcFolder.program(pid)?.hasSuffix("/beam.smp") == true)
            for child in ProcFolder.descendants(pid) {
                #expect(!ProcFolder.descriptors(child).values.contains(socket), "\(child)")
            }
            let log = world.folder + "/log/counter/counter-pre-commands.log"
            let text = try #require(world.text(log))
            #expect(text.contains("{nil,"), "\(text)")
            #expect(!text.contains(socket))
            let status = try await world.command("status")
            #expect(status.stdout.contains("listening: http at 127.0.0.1:\(world.heldPort)\n"))
        }
    }

    @Test func `an own socket waits for its own instance`() async throws {
        try await DeployexWorld.runHolding(replicas: 2) { world in
            try await world.startHolding("/own")
            try await world.publish("0.1.0")
            try await world.waitUntilStatus("0.1.0")
            #expect(try await world.command("stop", "counter-2").status == 0)
            // Nobody is there: the answer comes with the next process.
            let load = LoadClient(port: world.heldPort + 1, count: 2)
            #expect(try await world.command("start", "counter-2").status == 0)
            try await world.waitForAnswers(of: load, beyond: 10)
            let figures = load.stop()
            #expect(figures.failures == [])
            #expect(figures.instances == [2])
        }
    }

    @Test func `an address that somebody else has is waited for, and named`() async throws {
        try await DeployexWorld.runHolding(replicas: 1) { world in
            let stranger = try TakenPort(world.heldPort)
            try await world.startHolding()
            try await world.waitForLog(
                "[error] counter/http: listening on 127.0.0.1:\(world.heldPort): address already in use"
            )
            try await world.publish("0.1.0")
            try await world.waitForReason(
                "listening on 127.0.0.1:\(world.heldPort): address already in use")
            stranger.free()
            try await world.waitUntilStatus("0.1.0")
            let body = try #require(LoopbackHTTP.request(port: world.heldPort))
            #expect(body.contains(#""version":"0.1.0""#))
        }
    }

    @Test func `another address is opened at the next start, and the old one is closed`()
        async throws
    {
        try await DeployexWorld.runHolding(replicas: 1) { world in
            try await world.startHolding()
            try await world.publish("0.1.0")
            try await world.waitUntilStatus("0.1.0")
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex(adding: [
                "DEPLOYEX_LISTEN": "web=127.0.0.1:\(world.heldPort + 1)"
            ])
            try await world.waitUntilStatus("0.1.0")
            #expect(FreePorts.isListening(world.heldPort + 1))
            // The instance that runs has the old one.
            #expect(LoopbackHTTP.request(port: world.heldPort) != nil)
            #expect(try await world.command("restart", "counter-1").status == 0)
            #expect(!FreePorts.isListening(world.heldPort))
            // Without a listener `web` in the example, it listens at PORT again.
            _ = try await world.waitForAnswer(version: "0.1.0")
        }
    }
}

/// A port of 127.0.0.1 that this process listens on.
private final class TakenPort: Sendable {
    private let raw: Int32

    init(_ port: Int) throws {
        raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) == 0 }
        }
        guard isBound, listen(raw, 1) == 0 else { throw TestFailure("port \(port) is taken") }
    }

    func free() { close(raw) }
}

extension DeployexWorld {
    /// A world with ports for listeners, in which nothing is started yet.
    fileprivate static func runHolding(
        replicas: Int, _ body: @Sendable (DeployexWorld) async throws -> Void
    ) async throws {
        try await run(Options(replicas: replicas, extraPorts: 4), isStarted: false, body)
    }

    nonisolated fileprivate var heldPort: Int { extraPort }

    fileprivate func startHolding(_ mode: String = "") throws {
        try startDeployex(adding: ["DEPLOYEX_LISTEN": "http=127.0.0.1:\(heldPort)\(mode)"])
    }

    fileprivate func waitForAnswers(of load: LoadClient, beyond count: Int) throws {
        try wait("more than \(count) answers", for: .seconds(120)) { load.answerCount > count }
    }

    fileprivate var holder: pid_t? { strays.first { ProcFolder.arguments($0).contains("hold") } }

    fileprivate func waitForHolder(otherThan pid: pid_t) throws {
        try wait("another holder") { holder.map { $0 != pid } ?? false }
    }

    fileprivate func waitForReason(_ words: String) throws {
        try wait("the status to say \(words)") {
            try status(of: 1).reason?.contains(words) == true
        }
    }

    fileprivate func waitForCrash(of instance: Int) throws {
        try wait("a crash of instance \(instance)") {
            try status(of: instance).crashRestarts > 0
        }
    }
}
