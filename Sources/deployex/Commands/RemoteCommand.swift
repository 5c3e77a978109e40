internal import ExternalTermFormat
internal import FoundationEssentials
internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex remote [INSTANCE]`: what this process is to become.
struct RemoteCommand {
    let client: ControlClient
    let application: String?
    /// Our own variables.
    let environment: [String: String]

    /// The program of the instance's release with the argument `remote`, and its environment.
    func program(_ text: String?) async throws -> Replacement {
        let instance = try await instance(text)
        let answer = try await client.call(
            "instance", [.binary(instance.app), .integer(instance.number.value)])
        guard let path = answer["program"]?.asText else {
            throw CommandFailure(
                "\(client.name) does not say where \(instance) is: is it another version of "
                    + "deployex?", exitCode: ExitCode.refused)
        }
        let user = try Self.user(
            answer["user"]?.asInteger, of: instance, answeredBy: client.context.answeringUser)
        guard user != nil || access(path, X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw CommandFailure(
                "\(path): \(reason); the remote shell needs the release itself: run it on its host, "
                    + "as deployex's user", exitCode: ExitCode.refused)
        }
        var own: [String: String] = [:]
        for (name, value) in answer["environment"]?.asMap?.pairs ?? [] {
            if let name = name.asText, let value = value.asText { own[name] = value }
        }
        return Replacement(
            path: path, arguments: ["remote"],
            environment: Self.variables(
                environment, instance: own, cookie: client.context.cookie,
                tlsOptionsFile: client.context.tlsOptionsFile,
                folder: FileManager.default.currentDirectoryPath, user: user),
            user: user)
    }

    /// Whom to become: root runs no program of a release that runs as somebody else, who may have
    /// changed it. Everybody else is who they are; whether they may read it they will see.
    private static func user(
        _ id: Int?, of instance: InstanceName, answeredBy server: UInt32?
    ) throws(CommandFailure) -> ProcessUser? {
        guard geteuid() == 0 else { return nil }
        guard let server else {
            throw CommandFailure(
                "\(instance) is on another host: run the remote shell there",
                exitCode: ExitCode.refused)
        }
        guard let id = identity(server: server, instance: id) else { return nil }
        guard let user = UserDatabase.processUser(named: "\(id)"), user.id == id else {
            throw CommandFailure(
                "\(instance) runs as uid \(id), which is no user of this host",
                exitCode: ExitCode.refused)
        }
        return user
    }

    /// The user that root becomes, if any. What a deployex of somebody else answers is that user's word
    /// alone: the program, its variables, and as whom it runs.
    static func identity(server: UInt32, instance: Int?) -> Int? {
        if server != 0 { return Int(server) }
        return instance == 0 ? nil : instance
    }

    private func instance(_ text: String?) async throws -> InstanceName {
        let status = StatusView(try await client.status())
        if let text { return try status.directory.instance(named: text, of: application) }
        let name = try status.directory.application(application).name
        let connected = status.application(name)?.instances.first { $0.isConnected }
        guard let connected else {
            throw CommandFailure(
                "no instance of \(name) is connected: see `deployex status`",
                exitCode: ExitCode.refused)
        }
        return InstanceName(app: name, number: InstanceNumber(connected.number))
    }

    /// The user's variables without those of another release and without deployex's secrets, then
    /// what makes it the instance's shell. Not in the arguments, which everybody on the host can read.
    ///
    /// Where it becomes somebody else's, ours are not for that user's program, except those of the terminal
    /// and those without which the node is not found: an agent, an account or a token may be in any other.
    /// - Parameters:
    ///   - folder: the one that a relative path is in.
    ///   - owner: whose it becomes.
    static func variables(
        _ user: [String: String], instance: [String: String], cookie: String,
        tlsOptionsFile: String? = nil, folder: String = "", user owner: ProcessUser? = nil
    ) -> [String: String] {
        // Erlang's switches stay: without `-proto_dist inet_tls` a node under TLS is not reached.
        var variables = user.filter { name, _ in
            name == "ELIXIR_ERL_OPTIONS"
                || (owner == nil ? !InstanceEnvironment.isRemoved(name) : isForOthers(name))
        }
        let switches = variables["ELIXIR_ERL_OPTIONS"] ?? ""
        if let tlsOptionsFile, !switches.contains("-proto_dist") {
            // As we were told by arguments, which the shell does not see. A BEAM that boots does not
            // find a file by a relative path.
            let file =
                tlsOptionsFile.hasPrefix("/") ? tlsOptionsFile : folder + "/" + tlsOptionsFile
            variables["ELIXIR_ERL_OPTIONS"] =
                switches + (switches.isEmpty ? "" : " ")
                + "-proto_dist inet_tls -ssl_dist_optfile \(file)"
        }
        if let owner { variables.merge(owner.variables) { $1 } }
        variables["RELEASE_COOKIE"] = cookie
        // An application with a cookie of its own was started with that.
        variables.merge(instance) { $1 }
        return variables
    }
}

extension RemoteCommand {
    /// Those of ours that a program of another user gets: of the terminal, and what finds programs and nodes.
    private static let namesForOthers: Set<String> = [
        "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "PATH", "ERL_EPMD_PORT",
        "ERL_EPMD_ADDRESS",
    ]

    private static func isForOthers(_ name: String) -> Bool {
        namesForOthers.contains(name) || name.hasPrefix("LC_")
    }
}

/// A program that takes the place of this one: the same process, the same terminal, no shell.
struct Replacement: Equatable, Sendable {
    var path: String
    /// Those after the program's name.
    var arguments: [String]
    var environment: [String: String]
    /// Whom this process becomes first, where that is somebody else.
    var user: ProcessUser?

    /// Returns only when it failed, with the exit status of a program that cannot be run.
    func execute() -> Int32 {
        // What is ignored stays ignored in the new program (execve(2)).
        signal(SIGPIPE, SIG_DFL)
        do throws(SystemError) {
            try user?.become()
        } catch {
            Output.error("\(error)")
            return ExitCode.refused
        }
        let arguments = Self.strings([path] + arguments)
        let variables = Self.strings(environment.map { "\($0.key)=\($0.value)" })
        execve(path, arguments, variables)
        Output.error("starting \(path): \(String(cString: strerror(errno)))")
        return ExitCode.refused
    }

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }
}
