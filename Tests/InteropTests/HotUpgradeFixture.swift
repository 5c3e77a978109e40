import Deployment
import EPMD
import ErlDist
import ExternalTermFormat
import Foundation
import Supervisor
import TestKit
import Testing
import Transport

/// A real release with an EPMD of its own, in a temporary folder laid out as an instance's.
///
/// The packages are those of Examples/counter, from the folder that the environment variable
/// DEPLOYEX_EXAMPLE_PACKAGES names; without it they are built first.
final class HotUpgradeFixture: Sendable {
    let loop: EventLoop
    let folder: String
    private let shared: SharedFolder
    /// The release's and ours; `nil` over plain TCP.
    private let certificates: DistCertificates?
    private let optionsFile: String?
    let files = HostFileSystem()
    let node: Node
    let peer: NodeName
    private let packages: String
    private let epmdPort: UInt16
    private let counterPort: UInt16
    private let sessions = Guarded<[Started]>([])
    let logLines = Guarded<[String]>([])

    var current: String { folder + "/current" }
    var staged: String { folder + "/new" }
    func package(_ version: String) -> String { "\(packages)/counter-\(version).tar.gz" }

    init() async throws {
        loop = try .onOwnThread()
        shared = try SharedFolder()
        folder = shared.path
        epmdPort = UInt16(FreePorts.take())
        counterPort = UInt16(FreePorts.take())
        let host = Self.shortHostName
        peer = try NodeName(alive: "counter-1", host: host)
        let epmd = EPMDClient(address: .loopback(port: epmdPort), loop: loop)
        var configuration = Node.Configuration()
        if let version = DistTransport.current.version {
            let certificates = try DistCertificates(host: host)
            let file = try certificates.optionsFile(version: version)
            configuration.tls = try DistributionTLS(optionsFile: file)
            self.certificates = certificates
            optionsFile = file
        } else {
            certificates = nil
            optionsFile = nil
        }
        node = Node(
            name: try NodeName(alive: "hot-upgrade", host: host), cookie: "cookie", loop: loop,
            configuration: configuration
        ) { name in [.loopback(port: try await epmd.lookUp(name: name.alive).port)] }
        packages = try await ExamplePackages.folder(loop)
        _ = try await start(
            "/usr/bin/epmd", ["-port", "\(epmdPort)", "-address", "127.0.0.1"], [:], isOfPeer: true)
        try await eventuallySucceeds { _ = try await epmd.names() }
    }

    /// Ends every process of the test, and removes the folder.
    func end() async {
        for session in sessions.withLock({ $0 }) { await session.kill() }
        await node.close()
        loop.stop()
        do { try files.removeTree(shared.location) } catch { Issue.record(error) }
        shared.remove()
        certificates?.remove()
    }

    // MARK: Releases

    func unpack(_ version: String, into folder: String) async throws {
        try files.removeTree(folder)
        try files.makeFolders(folder, mode: 0o755)
        let output = try await run(
            "/bin/tar", ["-xzf", package(version), "-C", folder], [:], .seconds(60))
        #expect(output.exitStatus == 0)
    }

    func environment(greeting: String) -> [String: String] {
        var environment = [
            "PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8", "GREETING": greeting,
            "ERL_EPMD_PORT": "\(epmdPort)", "RELEASE_NODE_SUFFIX": "-1", "PORT": "\(counterPort)",
        ]
        if let optionsFile {
            environment["ELIXIR_ERL_OPTIONS"] =
                DistFixture.arguments(optionsFile: optionsFile).joined(separator: " ")
        }
        return environment
    }

    /// Starts what is in `current/`, and returns when it answers.
    func boot(greeting: String) async throws -> Started {
        try HotUpgradeFiles.restorePristineConfiguration(current, files: files)
        let session = try await start(
            current + "/bin/counter", ["start"], environment(greeting: greeting), isOfPeer: true)
        do {
            try await eventuallySucceeds { _ = try await self.report() }
        } catch {
            Issue.record("\(error); the release has said: \(try said(session))")
            throw error
        }
        return session
    }

    private func said(_ process: Started) throws -> String {
        let bytes = try files.read(process.output, limit: 1 << 25)
        return String(decoding: bytes.prefix(4096), as: UTF8.self)
    }

    func upgrade(
        from: String, to: String, greeting: String
    ) async throws -> HotUpgrade.Outcome {
        await HotUpgrade.run(
            .init(name: "counter", from: from, to: to),
            on: DistributedNode(peer, from: node),
            files: HotUpgradeFiles(
                current: current, staged: staged, package: package(to), files: files),
            evaluation: .init(environment: environment(greeting: greeting)) {
                try await self.run($0, $1, $2, $3, isOfPeer: true)
            },
            log: { level, text in self.logLines.withLock { $0.append("[\(level)] \(text)") } })
    }

    // MARK: Questions

    func call(_ module: Atom, _ function: Atom, _ arguments: Term...) async throws -> Term {
        try await node.call(peer, module, function, arguments, timeout: .seconds(10))
    }

    /// The counter.
    func report() async throws -> Int {
        let answer = try await call("Elixir.Counter.Server", "report")
        return try #require(answer.asList?.first?.asTuple?.last?.asInteger)
    }

    func increment() async throws {
        _ = try await call("Elixir.Counter.Server", "increment")
    }

    func greeting() async throws -> String? {
        try await call("application", "get_env", .atom("counter"), .atom("greeting"))
            .asTuple?.last?.asText
    }

    func processID() async throws -> String? {
        try await call("os", "getpid").asText
    }

    /// `version status`, newest first, and the number of libraries.
    func releases() async throws -> [String] {
        try await call("release_handler", "which_releases").asList?.map { release in
            let parts = release.asTuple ?? []
            return
                "\(parts[1].asText ?? "?") \(parts[3].asAtom?.name ?? "?") \(parts[2].asList?.count ?? 0)"
        } ?? []
    }

    // MARK: Processes

    func run(
        _ path: String, _ arguments: [String], _ environment: [String: String],
        _ timeout: Duration, isOfPeer: Bool = false
    ) async throws -> HotUpgrade.ProgramOutput {
        let started = try await start(path, arguments, environment, isOfPeer: isOfPeer)
        let status = await started.exitStatus()
        return .init(
            exitStatus: status, standardOutput: try files.read(started.output, limit: 1 << 25),
            standardError: try files.read(started.errors, limit: 1 << 25))
    }

    /// Starts a program of this host, or one of the OTP under test, or of a release made by it.
    func start(
        _ path: String, _ arguments: [String], _ environment: [String: String], isOfPeer: Bool
    ) async throws -> Started {
        let command = [path] + arguments
        let words = isOfPeer ? OTPRelease.current.command(command) : command
        let started = Started(folder: folder, loop: loop)
        let program = Program(
            path: words[0], arguments: Array(words.dropFirst()), environment: environment,
            folder: folder,
            stdoutPath: started.output, stderrPath: started.errors)
        let loop = loop
        let session = try await Task(executorPreference: loop) {
            try await ProcessSession.start(program, on: loop) { started.receive($0) }
        }.value
        started.session.withLock { $0 = session }
        sessions.withLock { $0.append(started) }
        return started
    }

    private static var shortHostName: String {
        String(ProcessInfo.processInfo.hostName.prefix { $0 != "." })
    }
}

/// A process of a test, with its output in files.
final class Started: Sendable {
    let output: String
    let errors: String
    let session = Guarded<ProcessSession?>(nil)
    private let loop: EventLoop
    private let state = Guarded<(exit: ProcessExit?, waiting: [CheckedContinuation<Void, Never>])>(
        (nil, []))

    init(folder: String, loop: EventLoop) {
        let name = "\(folder)/\(UUID().uuidString)"
        output = name + ".out"
        errors = name + ".err"
        self.loop = loop
    }

    func receive(_ event: ProcessSession.Event) {
        guard case .exited(let exit) = event else { return }
        let waiting = state.withLock { state in
            state.exit = exit
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for the end.
    func exitStatus() async -> Int32 {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock {
                if $0.exit == nil { $0.waiting.append(continuation) }
                return $0.exit != nil
            }
            if isOver { continuation.resume() }
        }
        return state.withLock { if case .code(let code) = $0.exit { code } else { 137 } }
    }

    /// SIGKILL for all of it, and waits for the end.
    func kill() async {
        guard let session = session.withLock({ $0 }) else { return }
        await Task(executorPreference: loop) { session.killSession() }.value
        _ = await exitStatus()
    }
}

/// The packages of Examples/counter, built once for all tests.
enum ExamplePackages {
    private static let built = Guarded<String?>(nil)

    static func folder(_ loop: EventLoop) async throws -> String {
        if let folder = ProcessInfo.processInfo.environment["DEPLOYEX_EXAMPLE_PACKAGES"] {
            return folder
        }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        let folder = root + "/.build/example-packages"
        // The script waits for another one that builds into the same folder, and builds nothing twice.
        return try await offload {
            let command = "'\(root)/scripts/build-example.sh' '\(folder)' >&2"
            guard system(command) == 0 else { throw ExamplePackagesError() }
            return folder
        }
    }
}

struct ExamplePackagesError: Error {}
