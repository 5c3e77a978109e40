import EPMD
import ErlDist
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

/// The tests of the distribution against real nodes, over the transport of this run. One after the other:
/// each starts nodes, which take all the processor there is.
@Suite(.ifOTPIsThere, .ifTransportIsKnown, .serialized, .timeLimit(.minutes(2))) enum DistTests {}

/// What a test of the distribution needs: an event loop, an EPMD of its own, nodes, and their end.
final class DistFixture: Sendable {
    typealias Change = (inout Node.Configuration) -> Void

    let loop: EventLoop
    let epmdPort: UInt16
    let host: String
    /// Those of all nodes here; `nil` over plain TCP.
    let certificates: DistCertificates?
    private let tls: DistributionTLS?
    /// The switches that real nodes have TLS by.
    let transportArguments: [String]
    private let children = Guarded<[DistProcess]>([])

    init(over transport: DistTransport = .current) async throws {
        loop = try .onOwnThread()
        // Below those that the kernel gives out: another test's node cannot take it meanwhile.
        epmdPort = UInt16(FreePorts.take(1))
        host = DistFixture.shortHostName
        if let version = transport.version {
            let certificates = try DistCertificates(host: host)
            let options = try certificates.optionsFile(version: version)
            self.certificates = certificates
            tls = try DistributionTLS(optionsFile: options)
            transportArguments = DistFixture.arguments(optionsFile: options)
        } else {
            certificates = nil
            tls = nil
            transportArguments = []
        }
        let epmd = try DistProcess(["epmd", "-port", "\(epmdPort)"], environment: [:])
        children.withLock { $0.append(epmd) }
        let client = EPMDClient(address: .loopback(port: epmdPort), loop: loop)
        try await eventually("EPMD listens") { (try? await client.names()) != nil }
    }

    /// Ends every process of the test, and the loop.
    func end() {
        for child in children.withLock({ $0 }) { child.kill() }
        certificates?.remove()
        loop.stop()
    }

    static func arguments(optionsFile: String) -> [String] {
        ["-proto_dist", "inet_tls", "-ssl_dist_optfile", optionsFile]
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

    // MARK: Real nodes

    /// A real node that evaluates expressions.
    func peer(
        _ alive: String, cookie: String = "secret", optionsFile: String? = nil,
        arguments: [String] = []
    ) async throws -> DistPeer {
        let transport = optionsFile.map(Self.arguments(optionsFile:)) ?? transportArguments
        let process = try erl(
            ["-sname", alive, "-setcookie", cookie] + transport + arguments,
            evaluating: DistPeer.evaluator)
        return try await DistPeer(name: try NodeName(alive: alive, host: host), process: process)
            .afterBoot()
    }

    /// A real node with a long name.
    /// - Parameter usesIPv6: whether it listens and connects over IPv6.
    func peer(longName: String, usesIPv6: Bool = false) async throws -> DistPeer {
        var arguments = transportArguments
        if usesIPv6 {
            if arguments.isEmpty {
                arguments = ["-proto_dist", "inet6_tcp"]
            } else {
                arguments[1] = "inet6_tls"
            }
        }
        let process = try erl(
            ["-name", longName, "-setcookie", "secret"] + arguments, evaluating: DistPeer.evaluator)
        return try await DistPeer(name: try NodeName(longName), process: process).afterBoot()
    }

    /// A real node without a name, with whose cookie ours is the same.
    func namelessPeer(evaluating expression: String) throws -> DistProcess {
        try erl(
            ["-sname", "undefined", "-setcookie", "secret"] + transportArguments,
            evaluating: expression)
    }

    private func erl(_ arguments: [String], evaluating expression: String) throws -> DistProcess {
        let process = try DistProcess(
            ["erl", "-noshell"] + arguments + ["-eval", expression],
            environment: ["ERL_EPMD_PORT": "\(epmdPort)"])
        children.withLock { $0.append(process) }
        return process
    }

    // MARK: Nodes of ours

    /// A node of ours that listens and is registered.
    func listeningNode(
        _ alive: String, cookie: String = "secret", _ change: Change = { _ in }
    ) async throws -> (node: Node, name: NodeName, registration: EPMDRegistration) {
        let name = try NodeName(alive: alive, host: host)
        let node = node(name, cookie: cookie, change)
        let address = try await node.listen(on: .loopback(port: 0))
        return (node, name, try await register(node, alive, port: address.port))
    }

    /// Registers a node that listens.
    func register(_ node: Node, _ alive: String, port: UInt16) async throws -> EPMDRegistration {
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: alive, port: port), at: .loopback(port: epmdPort), loop: loop)
        await node.setCreation(try await registration.register())
        return registration
    }

    /// A node of ours that only dials.
    func node(_ alive: String, cookie: String = "secret", _ change: Change = { _ in }) throws
        -> Node
    {
        node(try NodeName(alive: alive, host: host), cookie: cookie, change)
    }

    func node(_ name: NodeName, cookie: String = "secret", _ change: Change = { _ in }) -> Node {
        Node(
            name: name, cookie: cookie, loop: loop, configuration: configuration(change),
            resolver: resolver)
    }

    /// How nodes of ours behave that speak this fixture's transport.
    func configuration(_ change: Change = { _ in }) -> Node.Configuration {
        var configuration = Node.Configuration()
        configuration.tls = tls
        change(&configuration)
        return configuration
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

    /// Waits until the peer has printed one of `texts`: its log goes where its answers do.
    func says(_ texts: [String], within timeout: Duration = .seconds(10)) async throws {
        let deadline = MonotonicTime.now + timeout
        while !texts.contains(where: process.said.contains) {
            guard MonotonicTime.now < deadline else {
                throw DistFailure(
                    description: "the peer did not say \(texts), but: \(process.said)")
            }
            _ = try await self("timer:sleep(10)")
        }
    }

    /// Itself, once it evaluates what it is given.
    func afterBoot() async throws -> DistPeer {
        #expect(try await self("ready") == "ready")
        return self
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
    /// All lines that were skipped.
    private(set) var said = ""
    private let isEnded = Guarded(false)

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
        // A program of ours is built as the tests are: its sanitizer is to be told the same.
        for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
            variables[name] = getenv(name).map { String(cString: $0) }
        }
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

    func forgetWhatItSaid() {
        said = ""
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

    /// All that it prints until it ends by itself, and its exit status; 256 and the signal when a signal has ended it.
    func end(timeout: Duration = .seconds(20)) throws -> (status: Int32, output: String) {
        let deadline = MonotonicTime.now + timeout
        while try fill(deadline) {}
        let output = String(decoding: buffer, as: UTF8.self)
        buffer = []
        var status: Int32 = 0
        guard !isEnded.withLock({ $0 }), waitpid(pid, &status, 0) == pid else {
            throw DistFailure(description: "ended before")
        }
        isEnded.withLock { $0 = true }
        return (status & 0x7F == 0 ? status >> 8 : 256 + status & 0x7F, output)
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
        while true {
            while let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                if line.hasPrefix(prefix) { return String(line.dropFirst(prefix.count)) }
                said += line + "\n"
            }
            guard try fill(deadline) else {
                throw DistFailure(description: "the peer ended; it said: \(said)")
            }
        }
    }

    /// Reads more; `false` at the end.
    private func fill(_ deadline: MonotonicTime) throws -> Bool {
        let rest = (deadline - .now).inSeconds
        var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard rest > 0, poll(&entry, 1, Int32(rest * 1000) + 1) > 0 else {
            throw DistFailure(description: "no answer in time; the peer said: \(said)")
        }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = read(output, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }
}

/// Collects what a call prints.
final class Printed: Sendable {
    private let content = Guarded("")
    var text: String { content.withLock { $0 } }
    func append(_ text: String) { content.withLock { $0 += text } }
}
