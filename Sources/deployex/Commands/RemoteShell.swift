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
                client, application: setting.invocation.application,
                client.context.environment))
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

    /// The user to become. Root runs no program of a release that runs as somebody else, who may
    /// have changed it. All other users stay who they are, and find out whether they may read the
    /// release.
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

    /// The user that root becomes, if any. If the deployex runs as somebody else, its answer is
    /// only that user's word: the program, its variables, and the user that the program runs as.
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

    /// The user's variables without those of another release and without deployex's secrets, plus
    /// those that make it the instance's shell. They are not passed in the arguments, which
    /// everybody on the host can read.
    ///
    /// If the shell runs as somebody else, that user's program must not get our variables, which
    /// may hold an agent, an account or a token. The exceptions are those of the terminal and those
    /// without which the node is not found.
    /// - Parameters:
    ///   - folder: the folder that a relative path starts from.
    ///   - owner: the user that the shell runs as.
    static func variables(
        _ user: [String: String], instance: [String: String], cookie: String,
        tlsOptionsFile: String? = nil, folder: String = "", user owner: ProcessUser? = nil
    ) -> [String: String] {
        // Keep Erlang's switches: a node under TLS is not reached without `-proto_dist inet_tls`.
        var variables = user.filter { name, _ in
            name == "ELIXIR_ERL_OPTIONS"
                || (owner == nil ? !InstanceEnvironment.isRemoved(name) : isForOthers(name))
        }
        let switches = variables["ELIXIR_ERL_OPTIONS"] ?? ""
        if let tlsOptionsFile, !switches.contains("-proto_dist") {
            // Pass on what our arguments said, which the shell does not see. A BEAM that boots does
            // not find a file by a relative path.
            let file =
                tlsOptionsFile.hasPrefix("/") ? tlsOptionsFile : folder + "/" + tlsOptionsFile
            variables["ELIXIR_ERL_OPTIONS"] =
                switches + (switches.isEmpty ? "" : " ")
                + "-proto_dist inet_tls -ssl_dist_optfile \(file)"
        }
        if let owner { variables.merge(owner.variables) { $1 } }
        variables["RELEASE_COOKIE"] = cookie
        // An application with its own cookie was started with that one.
        variables.merge(instance) { $1 }
        return variables
    }
}

extension RemoteShell {
    /// The variables of ours that a program of another user gets: those of the terminal, and those
    /// that find programs and nodes.
    private static let namesForOthers: Set<String> = [
        "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "PATH", "ERL_EPMD_PORT",
        "ERL_EPMD_ADDRESS",
    ]

    private static func isForOthers(_ name: String) -> Bool {
        namesForOthers.contains(name) || name.hasPrefix("LC_")
    }
}

/// A program that replaces this one in the same process and on the same terminal, without a shell.
struct Replacement: Equatable, Sendable {
    var path: String
    /// The arguments after the program's name.
    var arguments: [String]
    var environment: [String: String]
    /// The user that this process becomes first, if it is another one.
    var user: ProcessUser?

    /// Returns only on failure, with the exit status of a program that cannot be run.
    func execute() -> Int32 {
        // Ignored signals stay ignored in the new program (execve(2)).
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
