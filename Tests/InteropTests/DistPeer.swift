import EPMD
import ErlDist
import ExternalTermFormat
import Glibc
import Synchronization
import Testing
import Transport

/// The tests of the distribution against real nodes. One after the other: each starts nodes, which take
/// all the processor there is.
@Suite(.ifOTPIsThere, .serialized, .timeLimit(.minutes(2))) enum DistTests {}

/// What a test of the distribution needs: an event loop, an EPMD of its own, nodes, and their end.
final class DistFixture: Sendable {
    let loop: EventLoop
    let epmdPort: UInt16
    let host: String
    private let children = Mutex<[DistProcess]>([])

    init() async throws {
        loop = try .onOwnThread()
        epmdPort = try await DistPort.free(on: loop)
        host = DistFixture.shortHostName
        let epmd = try DistProcess(["epmd", "-port", "\(epmdPort)"], environment: [:])
        children.withLock { $0.append(epmd) }
        let client = EPMDClient(address: .loopback(port: epmdPort), loop: loop)
        try await eventually("EPMD listens") { (try? await client.names()) != nil }
    }

    /// Ends every process of the test, and the loop.
    func end() {
        for child in children.withLock({ $0 }) { child.kill() }
        loop.stop()
    }

    static var shortHostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count)
        let name = String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(name.prefix { $0 != "." })
    }

    var client: EPMDClient { EPMDClient(address: .loopback(port: epmdPort), loop: loop) }

    var resolver: Node.Resolver {
        let client = client
        return { name in
            let info = try await client.lookUp(name: name.alive)
            return [.loopback(port: info.port)]
        }
    }

    /// A real node that evaluates expressions.
    func peer(
        _ alive: String, cookie: String = "secret", arguments: [String] = []
    ) async throws -> DistPeer {
        let process = try DistProcess(
            ["erl", "-noshell", "-sname", alive, "-setcookie", cookie] + arguments + [
                "-eval", DistPeer.evaluator,
            ],
            environment: ["ERL_EPMD_PORT": "\(epmdPort)"])
        children.withLock { $0.append(process) }
        let peer = DistPeer(name: try NodeName(alive: alive, host: host), process: process)
        #expect(try await peer("ready") == "ready")
        return peer
    }

    /// A node of ours that listens and is registered.
    func listeningNode(
        _ alive: String, cookie: String = "secret",
        configuration: Node.Configuration = Node.Configuration()
    ) async throws -> (node: Node, name: NodeName, registration: EPMDRegistration) {
        let name = try NodeName(alive: alive, host: host)
        let node = Node(
            name: name, cookie: cookie, loop: loop, configuration: configuration,
            resolver: resolver)
        let address = try await node.listen(on: .loopback(port: 0))
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: alive, port: address.port), at: .loopback(port: epmdPort),
            loop: loop)
        await node.setCreation(try await registration.register())
        return (node, name, registration)
    }

    /// A node of ours that only dials.
    func node(_ alive: String, cookie: String = "secret") throws -> Node {
        Node(
            name: try NodeName(alive: alive, host: host), cookie: cookie, loop: loop,
            resolver: resolver)
    }
}

/// A real node on the other side of a pipe: each line is evaluated, its value printed as one line.
final class DistPeer: Sendable {
    let name: NodeName
    let process: DistProcess

    init(name: NodeName, process: DistProcess) {
        self.name = name
        self.process = process
    }

    /// The value of an expression as `~0tp` prints it. Exceptions come as `{Class,Reason}`.
    func callAsFunction(_ expression: String, timeout: Duration = .seconds(20)) async throws
        -> String
    {
        let process = process
        return try await offload {
            try process.write(Array((expression + ".\n").utf8))
            return try process.line(after: "=> ", timeout: timeout)
        }
    }

    static let evaluator = """
        io:setopts([{encoding,unicode}]),
        F = fun F() ->
            case io:get_line("") of
                eof -> halt(0);
                Line ->
                    Value = try
                        {ok, Tokens, _} = erl_scan:string(Line),
                        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                        {value, V, _} = erl_eval:exprs(Expressions, []),
                        V
                    catch C:R -> {C, R} end,
                    io:format("=> ~0tp~n", [Value]),
                    F()
            end
        end,
        F().
        """
}

struct DistFailure: Error, CustomStringConvertible {
    var description: String
}

/// A program of OTP with pipes, ended by its pid.
///
/// The invariant behind `@unchecked Sendable`: reads and writes are made by one caller at a time.
final class DistProcess: @unchecked Sendable {
    let pid: pid_t
    private let input: Int32
    private let output: Int32
    private var buffer: [UInt8] = []
    private let isEnded = Mutex(false)

    /// - Parameter ofOTP: a program of the OTP under test; otherwise one of this host.
    init(_ arguments: [String], environment: [String: String], ofOTP: Bool = true) throws {
        signal(SIGPIPE, SIG_IGN)
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            throw DistFailure(description: "no pipes")
        }
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2)
        var variables = environment
        variables["PATH"] = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        variables["HOME"] = getenv("HOME").map { String(cString: $0) } ?? "/tmp"
        let release = ofOTP ? OTPRelease.current : .host
        variables = release.environment(variables)
        let command = release.command(arguments)
        let argv = command.map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command[0], &actions, nil, argv, envp)
        close(toChild[0])
        close(fromChild[1])
        guard code == 0 else { throw DistFailure(description: "cannot start \(arguments[0])") }
        self.pid = pid
        input = toChild[1]
        output = fromChild[0]
    }

    deinit {
        kill()
        close(input)
        close(output)
    }

    func kill() {
        let wasEnded = isEnded.withLock { isEnded in
            defer { isEnded = true }
            return isEnded
        }
        guard !wasEnded else { return }
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.write(input, $0.baseAddress, $0.count)
            }
            guard count > 0 else { throw DistFailure(description: "the peer is gone") }
            sent += count
        }
    }

    /// The rest of the next line that begins with `prefix`; others are skipped.
    func line(after prefix: String, timeout: Duration) throws -> String {
        let deadline = MonotonicTime.now + timeout
        var skipped = ""
        while true {
            while let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                if line.hasPrefix(prefix) { return String(line.dropFirst(prefix.count)) }
                skipped += line + "\n"
            }
            let rest = (deadline - .now).inSeconds
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard rest > 0, poll(&entry, 1, Int32(rest * 1000) + 1) > 0 else {
                throw DistFailure(description: "no answer in time; the peer said: \(skipped)")
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = read(output, &chunk, chunk.count)
            guard count > 0 else {
                throw DistFailure(description: "the peer ended; it said: \(skipped)")
            }
            buffer += chunk[..<count]
        }
    }
}

/// A port that nothing listens on.
actor DistPort {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    static func free(on loop: EventLoop) async throws -> UInt16 {
        try await DistPort(loop: loop).free()
    }

    private func free() throws -> UInt16 {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        defer { listener.close() }
        return listener.address.port
    }
}

/// Waits until `condition` holds, and fails the test when it does not in time.
func eventually(
    _ what: String, within timeout: Duration = .seconds(20),
    _ condition: @Sendable () async throws -> Bool
) async throws {
    let deadline = MonotonicTime.now + timeout
    while try await !condition() {
        guard MonotonicTime.now < deadline else {
            throw DistFailure(description: "not in time: \(what)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Collects what a call prints.
final class Printed: Sendable {
    private let content = Mutex("")
    var text: String { content.withLock { $0 } }
    func append(_ text: String) { content.withLock { $0 += text } }
}
