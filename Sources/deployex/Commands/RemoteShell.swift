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
            environment: ShellVariables.of(
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
