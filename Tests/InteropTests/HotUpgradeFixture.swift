import EPMD
import ErlDist
import ExternalTermFormat
import Foundation
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// A real release with an EPMD of its own, in a temporary folder laid out as an instance's.
///
/// The packages are those of Examples/counter, from the folder that the environment variable
/// DEPLOYEX_EXAMPLE_PACKAGES names; without it they are built first.
final class HotUpgradeFixture: Sendable {
    let loop: EventLoop
    let folder: String
    /// The release's and ours; `nil` over plain TCP.
    private let certificates: DistCertificates?
    private let optionsFile: String?
    let files = HostFileSystem()
    let node: Node
    let peer: NodeName
    private let packages: String
    private let shared: SharedFolder
    private let epmdPort: UInt16
    private let counterPort: UInt16
    private let children = Guarded<[ChildProcess]>([])
    let logLines = Guarded<[String]>([])

    var current: String { folder + "/current" }
    var staged: String { folder + "/new" }
    func package(_ version: String) -> String { "\(packages)/counter-\(version).tar.gz" }

    /// - Parameter made: the folder of the packages, if they are not those of the example.
    init(packages made: String? = nil) async throws {
        loop = try .onOwnThread()
        shared = try SharedFolder()
        folder = shared.path
        epmdPort = UInt16(FreePorts.take())
        counterPort = UInt16(FreePorts.take())
        let host = ThisHost.name
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
        packages = try await offload { try made ?? ExamplePackages.folder() }
        let daemon = try start(
            "/usr/bin/epmd", ["-port", "\(epmdPort)", "-address", "127.0.0.1"], [:], isOfPeer: true)
        let port = Int(epmdPort)
        _ = try await offload { try daemon.process.listening(on: port) }
    }

    /// Ends every process of the test.
    func end() async {
        for child in children.withLock({ $0 }) { child.kill() }
        await node.close()
        loop.stop()
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
        let session = try start(
            current + "/bin/counter", ["start"], environment(greeting: greeting), isOfPeer: true)
        do {
            try await eventuallySucceeds { _ = try await self.report() }
        } catch {
            Issue.record("\(error); the release has said: \(said(session))")
            throw error
        }
        return session
    }

    private func said(_ process: Started) -> String {
        String(decoding: Files.bytes(process.output).prefix(4096), as: UTF8.self)
    }

    func upgrade(
        from: String, to: String, greeting: String, mode: HotUpgrade.Mode = .appup
    ) async throws -> HotUpgrade.Outcome {
        await HotUpgrade.run(
            .init(name: "counter", from: from, to: to, mode: mode),
            on: DistributedNode(peer, from: node),
            files: HotUpgradeFiles(
                current: current, staged: staged, files: files),
            evaluation: .init(environment: environment(greeting: greeting)) {
                try await self.run($0, $1, $2, $3, isOfPeer: true)
            },
            loop: loop,
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
        let started = try start(path, arguments, environment, isOfPeer: isOfPeer)
        guard let status = await offload({ started.process.waitForEnd(timeout) }) else {
            throw TestFailure("\(path) \(arguments) has not ended in \(timeout)")
        }
        return .init(
            exitStatus: status, standardOutput: Files.bytes(started.output),
            standardError: Files.bytes(started.errors))
    }

    /// A process, and the files that its output goes to.
    struct Started: Sendable {
        let process: ChildProcess
        let output: String
        let errors: String
    }

    /// Starts a program of this host, or one of the OTP under test, or of a release made by it.
    func start(
        _ path: String, _ arguments: [String], _ environment: [String: String], isOfPeer: Bool
    ) throws -> Started {
        let command = [path] + arguments
        let words = isOfPeer ? OTPRelease.current.command(command) : command
        let number = children.withLock { $0.count }
        let (output, errors) = ("\(folder)/\(number).out", "\(folder)/\(number).err")
        // In the folder, where crash dumps go.
        let process = try ChildProcess(
            "env", ["-C", folder] + words, environment: environment, output: .file(output),
            errors: .file(errors), leadsSession: true)
        children.withLock { $0.append(process) }
        return Started(process: process, output: output, errors: errors)
    }
}
