internal import HTTP
internal import Supervisor
internal import Transport

/// Gets credentials once, from wherever they come. What is written in files is read anew each time.
struct CredentialsFetch: Sendable {
    var environment: [String: String]
    var region: String
    var owners: TrustedUsers
    var servers: CredentialsServers
    /// Runs a program to its end.
    var run: @Sendable (Program) async throws(CollectedProgram.Failure) -> CollectedProgram.Output

    private static let containerDeadline = Duration.seconds(2)

    private var order: CredentialsOrder { CredentialsOrder(environment: environment) }
    private var files: CredentialFiles { CredentialFiles(order, owners: owners) }

    func credentials() async throws(CredentialsError) -> AWSCredentials {
        if let plan = try order.planOfEnvironment() { return try await carryOut(plan) }
        let (order, files) = (order, files)
        let plan = try await offload { () throws(CredentialsError) in
            try order.plan(files.profiles(), places: files.places)
        }
        do throws(CredentialsError) {
            return try await carryOut(plan)
        } catch {
            // Nobody has asked for the metadata: it is what is left.
            guard case .instance = plan else { throw error }
            throw CredentialsError(
                "no AWS credentials are configured (environment, profile \(order.profileName) in "
                    + "\(files.places), web identity, container), and \(error)")
        }
    }

    private func carryOut(_ plan: CredentialsPlan) async throws(CredentialsError) -> AWSCredentials
    {
        switch plan {
        case .known(let credentials): return credentials
        case .process(let words, let profile): return try await output(of: words, profile)
        case .role(let role, let source):
            let caller = try await carryOut(source)
            return try await securityTokenService().assume(role, as: caller)
        case .webIdentity(let role, let path):
            let files = files
            let token = try await offload { () throws(CredentialsError) in
                try files.token(path, "the web identity's token")
            }
            return try await securityTokenService().assume(role, withWebIdentity: token)
        case .container(let endpoint): return try await credentials(of: endpoint)
        case .instance(let endpoint):
            return try await InstanceMetadata(endpoint: endpoint, servers: servers).credentials()
        }
    }

    private func securityTokenService() throws(CredentialsError) -> SecurityTokenService {
        SecurityTokenService(
            endpoint: try order.endpoint(of: .sts, region: region), region: region, servers: servers
        )
    }

    // MARK: Container

    private func credentials(
        of endpoint: ContainerEndpoint
    ) async throws(CredentialsError) -> AWSCredentials {
        let place = "the container's credentials at \(endpoint)"
        let token: String?
        switch endpoint.authorization {
        case .none: token = nil
        case .text(let text): token = text
        case .file(let path):
            let files = files
            token = try await offload { () throws(CredentialsError) in
                try files.token(path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            }
        }
        let answer: HTTPAnswer
        do throws(HTTPError) {
            answer = try await servers.neighbour(within: Self.containerDeadline).answer(
                HTTPRequest(
                    "GET", endpoint.url,
                    fields: token.map { [HTTPField("Authorization", $0)] } ?? []))
        } catch {
            throw CredentialsError("\(place): \(error)")
        }
        guard answer.isSuccess else {
            let hint = [401, 403].contains(answer.status) ? ": the token is not accepted" : ""
            throw CredentialsError("\(place): status \(answer.status)\(hint)")
        }
        return try CredentialsAnswer.ofServer(answer.content, place)
            .expiring(by: answer, clock: servers.clock())
    }

    // MARK: Program

    /// Its words are not shown: they may hold a secret.
    private func output(
        of words: [String], _ profile: String
    ) async throws(CredentialsError) -> AWSCredentials {
        let place = "profile \(profile): credential_process"
        let files = files
        let path = try await offload { () throws(CredentialsError) in
            try files.program(words[0], place)
        }
        var program = Program(
            path: path, arguments: Array(words.dropFirst()),
            environment: environment.filter { !Self.isOwn($0.key) }, folder: "/",
            stdoutPath: "/dev/null", stderrPath: "/dev/null")
        program.name = words[0]
        let output: CollectedProgram.Output
        do throws(CollectedProgram.Failure) {
            output = try await run(program)
        } catch {
            throw CredentialsError("\(place): \(error)")
        }
        guard output.exit == .code(0) else {
            let said = String(decoding: output.standardError, as: UTF8.self).split(separator: "\n")
            let first = said.first.map { ": " + CredentialsAnswer.shown(String($0)) } ?? ""
            throw CredentialsError("\(place): it has ended with \(output.exit)\(first)")
        }
        return try CredentialsAnswer.ofProcess(output.standardOutput, place)
    }

    /// What is deployex's alone, such as the cookie and its service manager's socket.
    private static func isOwn(_ variable: String) -> Bool {
        variable.hasPrefix("DEPLOYEX_") || InstanceEnvironment.isRemoved(variable)
    }
}
