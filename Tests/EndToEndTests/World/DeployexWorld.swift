import FoundationEssentials
import Glibc
import TestKit
import Testing

/// One deployex with everything around it: folders, ports, EPMD and cookie of its own, so that
/// several worlds do not meet. What it started it ends by pid.
///
/// Its methods block, on a thread of the world's own.
actor DeployexWorld {
    struct Options: Sendable {
        var replicas = 1
        var epmd = EPMDKind.startedByDeployex
        /// Empty for a deployex that is given none.
        var cookie = DeployexSite.cookie
        /// The arguments that name deployex's node.
        var node = ["--sname", "deployex"]
        /// Added to deployex's environment, and by it to the instances'.
        var variables: [String: String] = [:]
        /// The configuration file, instead of variables for the one application.
        var configuration: (@Sendable (DeployexWorld) -> String)?
        /// Ports after those of the instances, for other applications.
        var extraPorts = 0
    }

    enum EPMDKind: Sendable {
        /// OTP's.
        case real
        /// `deployex epmd`, started by the test.
        case deployex
        /// None at first: deployex starts its own.
        case startedByDeployex
    }

    nonisolated let site: DeployexSite
    nonisolated let options: Options
    private nonisolated let executor = BlockingExecutor("deployex.world")
    private var deployex: ChildProcess?
    private var epmd: ChildProcess?
    private var others: [ChildProcess] = []
    private var commandCount = 0
    /// The one of them that ``startCommand(_:)`` started last.
    private var startedCommand = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    init(_ options: Options = Options()) throws {
        self.options = options
        site = try DeployexSite(
            "e2e", instances: options.replicas, extraPorts: options.extraPorts)
    }

    // MARK: Paths

    nonisolated var folder: String { site.folder }
    nonisolated var base: String { site.base }
    nonisolated var storage: String { site.storage }
    nonisolated var logPath: String { site.logPath }
    nonisolated var catalogPath: String { site.catalogPath }
    nonisolated func packagePath(_ version: String) -> String { site.packagePath(version) }

    /// `service/counter/I/NAME`
    nonisolated func service(_ instance: Int, _ name: String = "") -> String {
        "\(base)/service/counter/\(instance)" + (name.isEmpty ? "" : "/\(name)")
    }

    nonisolated func node(_ instance: Int) -> String { "counter-\(instance)@\(ThisHost.name)" }

    /// Instance I listens on `firstPort + I - 1`.
    nonisolated var firstPort: Int { site.firstPort }
    nonisolated var epmdPort: Int { site.epmdPort }
    /// The first of the ports for other applications.
    nonisolated var extraPort: Int { epmdPort + 1 }

    nonisolated var variables: [String: String] {
        let own =
            options.configuration == nil
            ? single : ["DEPLOYEX_CONFIG": folder + "/configuration.json"]
        return site.environment.merging(["DEPLOYEX_ERLANG_COOKIE": options.cookie]) { $1 }
            .merging(own) { $1 }.merging(options.variables) { $1 }
    }

    /// What says which application there is, without a file.
    private nonisolated var single: [String: String] {
        site.application(replicas: options.replicas).merging([
            "DEPLOYEX_POLL_INTERVAL": "0.5", "DEPLOYEX_STOP_TIMEOUT": "8",
            "GREETING": "hello from a test",
        ]) { $1 }
    }

    // MARK: Life

    /// Starts EPMD where one is asked for, then deployex, and waits until it answers.
    func start() throws {
        if let configuration = options.configuration {
            try configuration(self).write(
                toFile: folder + "/configuration.json", atomically: true, encoding: .utf8)
        }
        try startEPMD()
        try startDeployex()
    }

    func startEPMD() throws {
        switch options.epmd {
        case .startedByDeployex: break
        case .real: epmd = try startEPMD(ThisHost.find("epmd"), ["-port", "\(epmdPort)"])
        case .deployex: epmd = try startEPMD(BuiltProgram.deployex, ["epmd"])
        }
    }

    private func startEPMD(_ path: String, _ arguments: [String]) throws -> ChildProcess {
        try spawn(path, arguments, "epmd").listening(on: epmdPort)
    }

    func stopEPMD() throws {
        epmd?.send(SIGKILL)
        guard epmd?.waitForEnd(.seconds(5)) != nil else { throw TestFailure("EPMD does not end") }
        epmd = nil
    }

    /// - Parameters:
    ///   - options: further arguments.
    ///   - extraDescriptor: open in deployex under this number.
    ///   - extra: variables that win over the world's own.
    func startDeployex(
        _ options: [String] = [], extraDescriptor: Int32? = nil,
        adding extra: [String: String] = [:], through prefix: [String] = []
    ) throws {
        let mark = logMark
        try launchDeployex(
            options, extraDescriptor: extraDescriptor, adding: extra, through: prefix)
        try waitForLog("Initialising deployment server", after: mark)
    }

    /// Starts deployex without waiting for anything.
    func launchDeployex(
        _ options: [String] = [], extraDescriptor: Int32? = nil,
        adding extra: [String: String] = [:], through prefix: [String] = []
    ) throws {
        let line = prefix + [BuiltProgram.deployex, "start"] + self.options.node + options
        deployex = try ChildProcess(
            line[0], Array(line.dropFirst()),
            environment: variables.merging(extra) { $1 }, output: .file(logPath),
            leadsSession: true, extraDescriptor: extraDescriptor)
    }

    var deployexPID: pid_t? { deployex?.pid }

    func signalDeployex(_ signal: Int32) throws {
        guard let deployex else { throw TestFailure("no deployex runs") }
        deployex.send(signal)
    }

    /// Sends deployex a signal and returns its exit status.
    func endDeployex(_ signal: Int32) throws -> Int32 {
        try signalDeployex(signal)
        return try waitForDeployex()
    }

    /// Waits until deployex has ended, and returns its exit status.
    func waitForDeployex() throws -> Int32 {
        guard let deployex else { throw TestFailure("no deployex runs") }
        guard let status = deployex.waitForEnd(.seconds(25)) else {
            throw TestFailure("deployex does not end" + logTail)
        }
        self.deployex = nil
        return status
    }

    /// Ends everything that belongs to this world and nothing else, and removes its folder.
    func end() {
        // What does not end so is ended by what follows.
        if deployex?.hasEnded == false { _ = try? command("stop", "--all") }
        deployex?.end(within: .seconds(20))
        epmd?.end(within: .seconds(5))
        for other in others { other.end(within: .seconds(1)) }
        for pid in strays { _ = Glibc.kill(pid, SIGKILL) }
        // Killed processes that are nobody's children take a moment to go.
        _ = try? wait("strays to end", for: .seconds(5)) { strays.isEmpty }
        DeployexSite.remove(folder)
    }

    /// What runs and is this world's: programs from its folder, and the EPMD and the holder of sockets
    /// that deployex starts.
    var strays: [pid_t] {
        ProcFolder.pids.filter { pid in
            guard pid != deployex?.pid, pid != epmd?.pid, let program = ProcFolder.program(pid)
            else { return false }
            return program.hasPrefix(folder + "/")
                || (program == BuiltProgram.deployex
                    && ProcFolder.arguments(pid).dropFirst() == ["epmd"]
                    && ProcFolder.environment(pid)["ERL_EPMD_PORT"] == "\(epmdPort)")
                || (program == BuiltProgram.deployex
                    && ProcFolder.arguments(pid).dropFirst() == ["hold", base])
        }
    }

    /// As ``strays``, of the releases alone.
    var instancePIDs: [pid_t] {
        ProcFolder.pids.filter { ProcFolder.program($0)?.hasPrefix(folder + "/") == true }
    }

    // MARK: Programs

    private func spawn(
        _ path: String, _ arguments: [String], _ name: String,
        environment: [String: String]? = nil
    ) throws -> ChildProcess {
        try ChildProcess(
            path, arguments, environment: environment ?? variables,
            output: .file("\(folder)/out/\(name).stdout"),
            errors: .file("\(folder)/out/\(name).stderr"), leadsSession: true)
    }

    /// Starts a process that has nothing to do with deployex, and lives as long as this world.
    @discardableResult
    func startStranger(adding extra: [String: String] = [:]) throws -> pid_t {
        let child = try spawn(
            ThisHost.find("sleep"), ["600"], "stranger",
            environment: variables.merging(extra) { $1 })
        others.append(child)
        return child.pid
    }

    /// Starts a program as a user without an account, which only root can; it lives as long as this world.
    func startAs(user: UInt32, _ path: String, _ arguments: [String]) throws {
        let identity = ["--reuid=\(user)", "--regid=\(user)", "--clear-groups"]
        others.append(
            try spawn(
                ThisHost.find("setpriv"), identity + [path] + arguments, "user-\(user)",
                environment: variables.merging(["HOME": "/"]) { $1 }))
    }

    /// Waits until EPMD knows a node.
    func waitForName(_ alive: String) throws {
        try wait("\(alive) to be registered") {
            try command("names").stdout.contains("name \(alive) at port ")
        }
    }

    /// Waits until EPMD knows no node.
    func waitForNoName() throws {
        try wait("EPMD to know no node") { try command("names").stdout == "" }
    }

    /// Waits until nothing runs beside what the test has started.
    func waitForNoStrays() throws {
        try wait("all else to end") { strays == [] }
    }

    /// Ends what ``startAs(user:_:_:)`` started last.
    func endOther() {
        others.popLast()?.end(within: .seconds(1))
    }

    /// Starts `deployex ARGUMENTS`, which goes on until it is ended: see ``lastOutput``.
    func startCommand(_ arguments: [String]) throws {
        commandCount += 1
        startedCommand = commandCount
        others.append(
            try spawn(BuiltProgram.deployex, arguments, "\(commandCount)"))
    }

    /// Sends a signal to what ``startCommand(_:)`` started last and returns its exit status.
    func endStartedCommand(_ signal: Int32) -> Int32? {
        others.last?.send(signal)
        return others.last?.waitForEnd(.seconds(5))
    }

    /// What the command that ``startCommand(_:)`` started last has printed so far.
    var lastOutput: String { text("\(folder)/out/\(startedCommand).stdout") ?? "" }

    /// Runs a program to its end.
    func run(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil,
        timeout: Duration = .seconds(20)
    ) throws -> CommandResult {
        commandCount += 1
        let name = "\(commandCount)"
        let child = try spawn(path, arguments, name, environment: environment)
        guard let status = child.waitForEnd(timeout) else {
            child.end(within: .seconds(1))
            throw TestFailure("\(path) \(arguments) did not end in \(timeout)" + logTail)
        }
        return CommandResult(
            status: status, stdout: text("\(folder)/out/\(name).stdout") ?? "",
            stderr: text("\(folder)/out/\(name).stderr") ?? "")
    }

    /// Runs `deployex ARGUMENTS` in this world's environment.
    func command(
        _ arguments: String..., adding extra: [String: String] = [:]
    ) throws -> CommandResult {
        try command(arguments, adding: extra)
    }

    func command(
        _ arguments: [String], adding extra: [String: String] = [:]
    ) throws -> CommandResult {
        try run(
            BuiltProgram.deployex, arguments,
            environment: variables.merging(extra) { $1 })
    }

    /// What an Erlang node in this world prints while it evaluates `expressions`.
    func erlang(_ expressions: String, name: String = "peer") throws -> String {
        let result = try run(
            try ThisHost.find("erl"),
            [
                "-noinput", "-sname", name, "-setcookie", options.cookie, "-eval",
                expressions + ", halt().",
            ], timeout: .seconds(30))
        guard result.status == 0 else { throw TestFailure("erl: \(result)") }
        return result.stdout
    }

    /// Starts an Erlang node that does nothing. It lives as long as this world.
    func startErlangNode(_ name: String) throws {
        others.append(
            try spawn(ThisHost.find("erl"), ["-noinput", "-sname", name, "-setcookie", "x"], name))
    }

    /// Starts an Erlang node that is called as deployex is, with this source of its module. It
    /// lives as long as this world.
    func startDeployexInErlang(_ source: String) throws {
        try Files.write(Array(source.utf8), folder + "/deployex.erl")
        let load = "{ok, M, B} = compile:file(F, [binary]), {module, M} = code:load_binary(M, F, B)"
        others.append(
            try spawn(
                ThisHost.find("erl"),
                [
                    "-noinput", "-sname", "deployex", "-setcookie", options.cookie, "-eval",
                    "F = \"\(folder)/deployex.erl\", \(load).",
                ], "erlang"))
        try wait("the node to know its module") {
            try command("rpc", "deployex", "erlang", "module_loaded", "[deployex]").stdout
                == "true\n"
        }
    }

    // MARK: Publishing

    /// Puts a version's package into the storage and names it as current: each appears whole.
    func publish(_ version: String) throws {
        try place(version)
        try site.publish(version)
    }

    /// Puts a version's package into the storage, without naming it as current.
    func place(_ version: String) throws {
        try site.place(version, from: try ExamplePackages.folder())
    }

    /// Copies a package to where `version` is looked for.
    func place(package: String, version: String) throws {
        try site.write(Files.bytes(package), packagePath(version))
    }

    func place(bytes: [UInt8], version: String) throws {
        try site.write(bytes, packagePath(version))
    }

    /// Replaces `current.json` by one rename.
    func publish(catalog: String) throws {
        try site.write(Array(catalog.utf8), catalogPath)
    }

    func removeCatalog() throws {
        try FileManager.default.removeItem(atPath: catalogPath)
    }

    // MARK: Asking

    func answer(_ instance: Int) -> CounterAnswer? {
        request("GET", "/", instance)
    }

    func post(_ path: String, _ instance: Int = 1) throws -> CounterAnswer {
        guard let answer = request("POST", path, instance) else {
            throw TestFailure("instance \(instance) does not answer" + logTail)
        }
        return answer
    }

    private func request(_ method: String, _ path: String, _ instance: Int) -> CounterAnswer? {
        guard let body = LoopbackHTTP.request(method, path, port: firstPort + instance - 1) else {
            return nil
        }
        return try? JSONDecoder().decode(CounterAnswer.self, from: Data(body.utf8))
    }

    /// `nil` while deployex does not answer.
    func status() throws -> StatusAnswer? {
        let result = try command("status", "--json")
        return result.status == 0 ? try StatusAnswer(json: result.stdout) : nil
    }

    func status(of instance: Int) throws -> StatusAnswer.Instance {
        guard let found = try status()?.instances.first(where: { $0.instance == instance }) else {
            throw TestFailure("no status of instance \(instance)" + logTail)
        }
        return found
    }

    func versionFile(_ instance: Int, _ name: String) throws -> VersionFile {
        let path = "\(base)/version/counter/\(instance)/\(name).json"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw TestFailure("there is no \(path)")
        }
        return try JSONDecoder().decode(VersionFile.self, from: data)
    }

    /// The version that a release's folder boots.
    func bootVersion(_ folder: String) -> String? {
        text(folder + "/releases/start_erl.data")?.split(separator: " ").last.map { word in
            String(word.filter { !$0.isWhitespace })
        }
    }

    nonisolated func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What stands in an instance's folder.
    nonisolated func serviceEntries(_ instance: Int) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: service(instance))) ?? []).sorted()
    }

    // MARK: Waiting

    /// Waits until `condition` holds.
    func wait(
        _ what: String, for timeout: Duration = .seconds(40), until condition: () throws -> Bool
    ) throws {
        _ = try waitForValue(what, for: timeout) { try condition() ? true : nil }
    }

    /// Waits until `probe` has a value.
    func waitForValue<Value>(
        _ what: String, for timeout: Duration = .seconds(40), until probe: () throws -> Value?
    ) throws -> Value {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let value = try probe() { return value }
            guard ContinuousClock.now < deadline else {
                throw TestFailure("waited \(timeout) for \(what)" + logTail)
            }
            usleep(20_000)
        }
    }

    /// Waits until an instance answers as `version` and returns the answer.
    func waitForAnswer(
        _ instance: Int = 1, version: String, otherThan pid: pid_t? = nil
    ) throws -> CounterAnswer {
        try waitForValue("instance \(instance) to answer as \(version)") {
            answer(instance).flatMap { $0.version == version && $0.osPID != pid ? $0 : nil }
        }
    }

    /// Waits until deployex says that all instances run `version`, and are to.
    func waitUntilAllRun(_ version: String) throws {
        try wait("all instances to run \(version)", for: .seconds(60)) {
            guard (1...options.replicas).allSatisfy({ answer($0)?.version == version }),
                let app = try status()?.apps.first, app.targetVersion == version
            else { return false }
            return app.instances.allSatisfy {
                $0.status == "running" && $0.version == version && $0.otp == "connected"
            }
        }
    }

    /// Brings all instances to `version`, whatever they run now.
    func bring(to version: String) throws {
        if try status()?.apps.first?.targetVersion != version { try publish(version) }
        try waitUntilAllRun(version)
    }

    // MARK: The log

    var log: String { text(logPath) ?? "" }

    /// A place in the log: what comes later.
    var logMark: Int { log.utf8.count }

    func log(after mark: Int) -> String {
        String(decoding: Array(log.utf8).dropFirst(mark), as: UTF8.self)
    }

    /// Waits for a line that contains all of `words`, and returns it.
    @discardableResult
    func waitForLog(
        _ words: String..., after mark: Int = 0, for timeout: Duration = .seconds(20)
    ) throws -> String {
        try waitForValue("a log line with \(words)", for: timeout) {
            if let deployex, deployex.hasEnded {
                throw TestFailure("deployex has ended" + logTail)
            }
            return log(after: mark).split(separator: "\n").map(String.init).first { line in
                words.allSatisfy { line.contains($0) }
            }
        }
    }

    private var logTail: String {
        "; deployex said last:\n" + log.split(separator: "\n").suffix(25).joined(separator: "\n")
    }
}
