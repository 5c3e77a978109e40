internal import HTTP

/// The instance's metadata service, version 2, which gives the credentials of the instance's role.
/// Version 1 is not spoken: it gives them to whoever makes a program on the host send one GET.
///
/// Source: "Use the Instance Metadata Service to access instance metadata", Amazon EC2 User Guide.
struct InstanceMetadata: Sendable {
    var endpoint: HTTPURL
    var servers: CredentialsServers

    private static let deadline = Duration.seconds(1)
    /// In seconds: the longest that there is.
    private static let tokenLifetime = "21600"
    private static let rolesPath = "/latest/meta-data/iam/security-credentials/"

    func credentials() async throws(CredentialsError) -> AWSCredentials {
        var token = try await token()
        var hasRenewed = false
        while true {
            let roles = try await get(Self.rolesPath, token)
            let role = roles.isSuccess ? try role(in: roles) : nil
            var answer = roles
            if let role { answer = try await get(Self.rolesPath + role, token) }
            switch answer.status {
            case 200...299:
                return try CredentialsAnswer.ofServer(
                    answer.content, "instance metadata at \(endpoint)"
                ).expiring(by: answer, clock: servers.clock())
            case 401 where !hasRenewed:
                hasRenewed = true
                token = try await self.token()
            case 404:
                throw problem(
                    "this instance has no role: attach one to it (an instance profile)")
            default: throw problem("status \(answer.status)")
            }
        }
    }

    private func token() async throws(CredentialsError) -> String {
        let answer = try await ask(
            "PUT", "/latest/api/token",
            HTTPField("X-aws-ec2-metadata-token-ttl-seconds", Self.tokenLifetime))
        switch answer.status {
        case 200:
            let token = String(decoding: answer.content, as: UTF8.self)
            guard 1...1_024 ~= token.utf8.count,
                token.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
            else { throw problem("its token cannot be one") }
            return token
        case 403: throw problem("it is switched off for this instance (status 403)")
        case 404, 405:
            throw problem(
                "it knows no tokens (status \(answer.status)): version 2 is needed, and version 1 "
                    + "is not used")
        default: throw problem("it gives no token: status \(answer.status)")
        }
    }

    /// The first name in the list; it becomes part of a path.
    private func role(in answer: HTTPAnswer) throws(CredentialsError) -> String {
        let name = answer.content.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        // Source: IAM and STS quotas and name requirements, IAM User Guide.
        let isName =
            1...64 ~= name.count
            && name.allSatisfy { byte in
                0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
                    || "+=,.@_-".utf8.contains(byte)
            } && !name.allSatisfy { $0 == UInt8(ascii: ".") }
        guard isName else { throw problem("the name of its role cannot be one") }
        return String(decoding: name, as: UTF8.self)
    }

    private func get(
        _ path: String, _ token: String
    ) async throws(CredentialsError) -> HTTPAnswer {
        try await ask("GET", path, HTTPField("X-aws-ec2-metadata-token", token))
    }

    private func ask(
        _ method: String, _ path: String, _ field: HTTPField
    ) async throws(CredentialsError) -> HTTPAnswer {
        var url = endpoint
        url.path = (url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path) + path
        do throws(HTTPError) {
            return try await servers.neighbour(within: Self.deadline).answer(
                HTTPRequest(method, url, fields: [field]))
        } catch {
            if case .timedOut = error {
                throw problem(
                    "it does not answer: this is no EC2 instance, or we run in a container, which "
                        + "its answers do not reach: raise the instance's hop limit to 2 "
                        + "(HttpPutResponseHopLimit)")
            }
            throw problem("\(error)")
        }
    }

    private func problem(_ text: String) -> CredentialsError {
        CredentialsError("instance metadata at \(endpoint): \(text)")
    }
}
