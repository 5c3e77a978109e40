internal import Deployment
internal import ExternalTermFormat
internal import FoundationEssentials
internal import Glibc
internal import Supervisor
internal import Transport

extension Verb {
    static let remote = [
        Verb(
            name: "remote", forms: ["remote [INSTANCE] [--app APPLICATION]"],
            summary: "open the remote shell of an instance",
            details: """
                Becomes `bin/APP remote` of the instance's own release, on this terminal; it has to run
                on the instance's host, as a user who may read the release. Without INSTANCE it is the
                first one that is connected.
                """,
            argumentCount: 0...1, peer: .deployex, concernsApplication: true,
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            RemoteShell(instance: arguments.positional.isEmpty ? nil : try arguments.instance())
        }
    ]
}

/// `deployex remote [INSTANCE]`: this process becomes the instance's shell.
struct RemoteShell: Command {
    /// `2` or `counter-2`; `nil` for the first one that is connected.
    let instance: String?

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        return .replacement(
            try await program(
                client, application: setting.invocation.application, setting.environment))
    }

    /// The program of the instance's release with the argument `remote`, and its environment.
    private func program(
        _ client: ControlClient, application: String?, _ environment: [String: String]
    ) async throws -> Replacement {
        var arguments = [application, instance].compactMap { $0?.term }
        if instance == nil { arguments = try await connected(client, application) }
        let answer = try await client.call("instance", arguments)
        guard let name = answer["application"]?.asText, let number = answer["instance"]?.asInteger,
            number >= 1
        else { throw client.strangeAnswer }
        let instance = InstanceName(app: name, number: InstanceNumber(number))
        guard let path = answer["program"]?.asText else {
            throw CommandFailure(
                "\(client.name) does not say where \(instance) is: is it another version of "
                    + "deployex?")
        }
        let user = try Self.user(
            answer["user"]?.asInteger, of: instance, answeredBy: client.context.answeringUser)
        guard user != nil || access(path, X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw CommandFailure(
                "\(path): \(reason); the remote shell needs the release itself: run it on its host, "
                    + "as deployex's user")
        }
        guard let own: [String: String] = try? answer["environment"]?.converted() else {
            throw client.strangeAnswer
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
            throw CommandFailure("\(instance) is on another host: run the remote shell there")
        }
        guard let id = identity(server: server, instance: id) else { return nil }
        guard let user = UserDatabase.processUser(named: "\(id)"), user.id == id else {
            throw CommandFailure("\(instance) runs as uid \(id), which is no user of this host")
        }
        return user
    }

    /// The user that root becomes, if any. What a deployex of somebody else answers is that user's
    /// word alone: the program, its variables, and as whom it runs.
    static func identity(server: UInt32, instance: Int?) -> Int? {
        if server != 0 { return Int(server) }
        return instance == 0 ? nil : instance
    }

    /// The first instance that is connected.
    private func connected(
        _ client: ControlClient, _ application: String?
    ) async throws -> [Term] {
        let status = try await client.status()
        let directory = InstanceDirectory(
            status.applications.map { .init(name: $0.name ?? "", replicas: $0.instances.count) })
        let name = try directory.application(application).name
        let instances = status.applications.first { $0.name == name }?.instances ?? []
        guard let number = instances.first(where: \.isConnected)?.number else {
            throw CommandFailure("no instance of \(name) is connected: see `deployex status`")
        }
        return [name.term, number.term]
    }

    /// The user's variables without those of another release and without deployex's secrets, then
    /// what makes it the instance's shell. Not in the arguments, which everybody on the host can
    /// read.
    ///
    /// Where it becomes somebody else's, ours are not for that user's program, except those of the
    /// terminal and those without which the node is not found: an agent, an account or a token may
    /// be in any other.
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
            // As we were told by arguments, which the shell does not see. A BEAM that boots does
            // not find a file by a relative path.
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

extension RemoteShell {
    /// Those of ours that a program of another user gets: of the terminal, and what finds programs
    /// and nodes.
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
        signal(SIGXFSZ, SIG_DFL)
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
