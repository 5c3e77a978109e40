import Glibc
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import AWS

/// Credentials from servers on loopback, from files and from programs.
@Suite(.timeLimit(.minutes(3))) struct CredentialsFetchTests {
    private let loop: EventLoop
    private let folder = TemporaryFolder("credentials")

    init() throws {
        loop = try .onOwnThread()
    }

    private func chain(
        _ environment: [String: String], region: String = "eu-west-1",
        neighbourDeadline: Duration = .seconds(100)
    ) -> CredentialsChain {
        let program = ["PATH": ThisHost.path, "HOME": folder.path]
        return CredentialsChain(
            environment: program.merging(environment) { $1 }, region: region,
            client: HTTPClient(loop: loop), loop: loop, neighbourDeadline: neighbourDeadline)
    }

    private func key(
        _ environment: [String: String], region: String = "eu-west-1"
    ) async throws -> String {
        try await chain(environment, region: region).credentials().accessKeyID
    }

    private func refusal(
        _ environment: [String: String], region: String = "eu-west-1",
        neighbourDeadline: Duration = .seconds(100)
    ) async -> String {
        let chain = chain(environment, region: region, neighbourDeadline: neighbourDeadline)
        do throws(CredentialsError) {
            return "\(try await chain.credentials().accessKeyID)"
        } catch {
            return "\(error)"
        }
    }

    private func serve(
        _ answer: @escaping @Sendable (CredentialsServer.Question, Int) async -> HTTPServerResponse
    ) async throws -> CredentialsServer {
        try await CredentialsServer(loop: loop, answer: answer)
    }

    // MARK: Instance metadata

    /// A metadata service with the role `web`, whose tokens are `token-0`, `token-1` …; the first
    /// of them is refused `refusals` times.
    private func metadata(refusals: Int = 0) async throws -> CredentialsServer {
        try await serve { question, number in
            switch question.line {
            case "PUT /latest/api/token":
                guard question.field("x-aws-ec2-metadata-token-ttl-seconds") == "21600" else {
                    return CredentialsServer.text(400, "")
                }
                return CredentialsServer.text(200, "token-\(number)")
            case "GET /latest/meta-data/iam/security-credentials/":
                let isFirst = question.field("x-aws-ec2-metadata-token") == "token-0"
                return isFirst && number <= refusals
                    ? CredentialsServer.text(401, "") : CredentialsServer.text(200, "web\nother")
            case "GET /latest/meta-data/iam/security-credentials/web":
                guard question.field("x-aws-ec2-metadata-token") != nil else {
                    return CredentialsServer.text(401, "")
                }
                return CredentialsServer.json("IMDS")
            default: return CredentialsServer.text(404, "")
            }
        }
    }

    private func instance(_ server: CredentialsServer) -> [String: String] {
        ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url]
    }

    @Test func `the instance's role is asked for with a token`() async throws {
        let server = try await metadata()
        let found = try await chain(instance(server)).credentials()
        #expect(found.accessKeyID == "IMDS" && found.sessionToken == "t")
        #expect(
            server.lines == [
                "PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/",
                "GET /latest/meta-data/iam/security-credentials/web",
            ])
        #expect(server.questions[2].field("x-aws-ec2-metadata-token") == "token-0")
    }

    @Test func `a token that is not accepted is replaced once`() async throws {
        let server = try await metadata(refusals: 1)
        #expect(try await key(instance(server)) == "IMDS")
        #expect(server.questions.last?.field("x-aws-ec2-metadata-token") == "token-2")
        let refusing = try await serve { question, _ in
            CredentialsServer.text(question.method == "PUT" ? 200 : 401, "token")
        }
        #expect(await refusal(instance(refusing)).contains("status 401"))
        #expect(refusing.lines.filter { $0.hasPrefix("PUT") }.count == 2)
    }

    @Test func `a proxy does not see the instance's metadata`() async throws {
        let server = try await metadata()
        let proxies = try HTTPProxies(environment: ["http_proxy": "http://127.0.0.1:1"])
        let chain = CredentialsChain(
            environment: instance(server), region: "eu-west-1",
            client: HTTPClient(loop: loop, proxies: proxies), loop: loop,
            neighbourDeadline: .seconds(100))
        #expect(try await chain.credentials().accessKeyID == "IMDS")
    }

    @Test func `version 1 is not used`() async throws {
        for status in [404, 405] {
            let server = try await serve { question, _ in
                question.method == "PUT"
                    ? CredentialsServer.text(status, "") : CredentialsServer.text(200, "web")
            }
            #expect(await refusal(instance(server)).contains("version 1 is not used"))
            #expect(server.lines == ["PUT /latest/api/token"])
        }
    }

    @Test func `a silent metadata service is asked three times, and the hop limit is named`()
        async throws
    {
        let loop = loop
        let server = try await serve { _, _ in await CredentialsServer.silence(loop) }
        let text = await refusal(instance(server), neighbourDeadline: .seconds(10))
        #expect(text.hasPrefix("no AWS credentials are configured"), "\(text)")
        #expect(text.contains("HttpPutResponseHopLimit"), "\(text)")
        #expect(server.lines.count == 3)
    }

    @Test func `faults of the metadata service pass, or are named`() async throws {
        let busy = try await serve { question, number in
            if number < 2 { return CredentialsServer.text(number == 0 ? 500 : 503, "") }
            if question.method == "PUT" { return CredentialsServer.text(200, "t") }
            return question.target.hasSuffix("/")
                ? CredentialsServer.text(200, "r") : CredentialsServer.json("K")
        }
        #expect(try await key(instance(busy)) == "K")
        func after(_ list: HTTPServerResponse, _ role: HTTPServerResponse) async throws -> String {
            let server = try await serve { question, _ in
                if question.method == "PUT" { return CredentialsServer.text(200, "t") }
                return question.target.hasSuffix("/") ? list : role
            }
            return await refusal(instance(server))
        }
        let none = CredentialsServer.text(404, "")
        #expect(try await after(none, none).contains("this instance has no role"))
        for name in ["", "../../user-data", "a b", "..", String(repeating: "x", count: 65)] {
            #expect(
                try await after(CredentialsServer.text(200, name), none).contains(
                    "the name of its role cannot be one"))
        }
        let role = CredentialsServer.text(200, "r")
        #expect(
            try await after(role, CredentialsServer.text(200, "<html>")).contains("is not JSON"))
        #expect(
            try await after(
                role, CredentialsServer.text(200, String(repeating: " ", count: 70_000))
            ).contains("instance metadata at"))
        #expect(
            try await after(
                role, CredentialsServer.json("K", expires: "2001-01-01T00:00:00Z")
            ).contains("have expired"))
        let closed = FreePorts.take()
        #expect(
            await refusal(["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(closed)"])
                .contains("connection refused"))
    }

    // MARK: Container

    @Test func `a container's token is read anew each time`() async throws {
        let server = try await serve { question, _ in
            CredentialsServer.json(question.field("authorization") ?? "none")
        }
        folder.write("one\n", "token")
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.url)/v1?x=y",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": folder("token"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "unused",
        ]
        #expect(try await key(environment) == "one")
        folder.write("two", "token")
        #expect(try await key(environment) == "two")
        #expect(server.lines == ["GET /v1?x=y", "GET /v1?x=y"])
        folder.write("a\nb", "token")
        #expect(await refusal(environment).contains("does not hold one line"))
        var other = environment
        other["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = nil
        #expect(try await key(other) == "unused")
        other["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = nil
        #expect(try await key(other) == "none")
    }

    @Test func `a container's refusal is named`() async throws {
        let server = try await serve { _, _ in CredentialsServer.text(403, "secret") }
        let text = await refusal(["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url])
        #expect(text.hasSuffix("status 403: the token is not accepted"), "\(text)")
        #expect(server.lines.count == 1)
        let broken = try await serve { _, _ in CredentialsServer.text(500, "") }
        #expect(
            await refusal(["AWS_CONTAINER_CREDENTIALS_FULL_URI": broken.url]).contains(
                "status 500"))
        #expect(broken.lines.count == 3)
    }

    @Test(.enabled(if: Stranger.isPossible))
    func `a stranger's server on this host does not get the token`() async throws {
        let server = try await serve { _, _ in CredentialsServer.json("EVIL") }
        try Stranger.takesOver(server.address)
        var text = await refusal([
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
        ])
        #expect(text.contains("uid \(Stranger.user)"), "\(text)")
        text = await refusal(instance(server))
        #expect(text.contains("uid \(Stranger.user)"), "\(text)")
        #expect(server.lines == [])
    }

    // MARK: Roles

    @Test func `a web identity asks for its role without a signature`() async throws {
        let server = try await serve { _, _ in CredentialsServer.xml("WEB") }
        folder.write("a.b&c=d\n", "token")
        #expect(
            try await key([
                "AWS_WEB_IDENTITY_TOKEN_FILE": folder("token"), "AWS_ROLE_ARN": "arn:aws:r/x y",
                "AWS_ENDPOINT_URL_STS": server.url,
            ]) == "WEB")
        let question = try #require(server.questions.first)
        #expect(question.line == "POST /")
        #expect(question.field("authorization") == nil)
        #expect(
            question.content
                == "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Ar%2Fx"
                + "%20y&RoleSessionName=deployex&WebIdentityToken=a.b%26c%3Dd")
    }

    private func role(_ server: CredentialsServer, _ more: String = "") -> [String: String] {
        folder.write(
            "[default]\nrole_arn = arn:r\nsource_profile = keys\nexternal_id = e/1\n\(more)\n",
            "config")
        folder.write(
            "[keys]\naws_access_key_id = SOURCE\naws_secret_access_key = s\n", "keys", mode: 0o600)
        return [
            "AWS_CONFIG_FILE": folder("config"), "AWS_SHARED_CREDENTIALS_FILE": folder("keys"),
            "AWS_ENDPOINT_URL": server.url,
        ]
    }

    @Test func `a role is asked for with a signature`() async throws {
        let server = try await serve { _, _ in CredentialsServer.xml("ROLE") }
        let environment = role(server, "duration_seconds = 900")
        #expect(try await key(environment, region: "eu-north-1") == "ROLE")
        let question = try #require(server.questions.first)
        #expect(
            question.content
                == "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Ar&RoleSessionName=deployex"
                + "&ExternalId=e%2F1&DurationSeconds=900")
        let authorization = try #require(question.field("authorization"))
        #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=SOURCE/"))
        #expect(authorization.contains("/eu-north-1/sts/aws4_request"))
    }

    @Test func `STS's refusals say what to do`() async throws {
        let cases = [
            (403, "AccessDenied", "trust policy"), (403, "InvalidClientTokenId", "not valid"),
            (403, "ExpiredToken", "that ask for the role have expired"),
            (403, "RegionDisabledException", "not switched on"),
        ]
        for (status, code, text) in cases {
            let server = try await serve { _, _ in
                CredentialsServer.refusal(status, code, "m &amp; n")
            }
            let told = await refusal(role(server))
            #expect(told.contains(text) && told.contains("\(code): m & n"), "\(told)")
            #expect(server.lines.count == 1)
        }
        let nonsense = try await serve { _, _ in CredentialsServer.text(200, "nonsense") }
        #expect(await refusal(role(nonsense)).contains("has no credentials in it"))
        let busy = try await serve { _, number in
            number < 2
                ? CredentialsServer.refusal(503, "ServiceUnavailable", "")
                : CredentialsServer.xml("LATER")
        }
        #expect(try await key(role(busy)) == "LATER")
    }

    @Test func `a clock that is wrong is corrected once by the server's`() async throws {
        // The server lives in 2020.
        let seconds = try #require(UTCTime.seconds("2020-06-01T12:00:00Z"))
        let sender = Sender { request in
            let date = HTTPField("Date", "Mon, 01 Jun 2020 12:00:00 GMT")
            let time = request.fields.values("x-amz-date").first ?? ""
            guard time == "20200601T120000Z" else {
                return HTTPAnswer(status: 403, fields: [date])
            }
            let xml = CredentialsServer.xml("K", expires: "2020-06-01T13:00:00Z")
            guard case .bytes(let bytes) = xml.content else { return HTTPAnswer(status: 500) }
            return HTTPAnswer(status: 200, fields: [date], content: bytes)
        }
        for clock in [seconds, seconds + 7_200, seconds - 7_200] {
            let service = SecurityTokenService(
                endpoint: try HTTPURL("http://sts"), region: "r",
                servers: CredentialsServers(
                    client: sender, direct: sender, clock: { clock }, sleep: { _ in }))
            let found = try await service.assume(
                AssumedRole(arn: "a", sessionName: "n"),
                as: AWSCredentials(accessKeyID: "A", secretAccessKey: "S"))
            // By our own clock.
            #expect(found.expiration == clock + 3_600)
        }
    }

    // MARK: Files

    @Test func `keys that others can read are refused`() async throws {
        folder.write("[default]\naws_access_key_id = A\naws_secret_access_key = s", "keys")
        var text = await refusal(["AWS_SHARED_CREDENTIALS_FILE": folder("keys")])
        #expect(text.contains("chmod 600 \(folder("keys"))"), "\(text)")
        // Settings may be readable, but not with keys in them.
        text = await refusal(["AWS_CONFIG_FILE": folder("keys")])
        #expect(text.contains("chmod 600 \(folder("keys"))"), "\(text)")
        folder.write("[default]\nsso_session = x", "config")
        #expect(await refusal(["AWS_CONFIG_FILE": folder("config")]).contains("SSO"))
    }

    @Test(.enabled(if: Stranger.isPossible)) func `a stranger's files are not believed`()
        async throws
    {
        folder.write(
            "[default]\naws_access_key_id = A\naws_secret_access_key = s", "keys", mode: 0o600)
        #expect(chown(folder("keys"), Stranger.user, gid_t.max) == 0)
        let text = await refusal(["AWS_SHARED_CREDENTIALS_FILE": folder("keys")])
        #expect(text.contains("whom deployex does not trust"), "\(text)")
    }

    @Test func `the usual files are those in the home folder, and they are read anew`()
        async throws
    {
        try ChildProcess.run("mkdir", [folder(".aws")])
        folder.write(
            "[default]\naws_access_key_id = A\naws_secret_access_key = s", ".aws/credentials",
            mode: 0o600)
        let chain = chain([:])
        #expect(try await chain.credentials().accessKeyID == "A")
        folder.write(
            "[default]\naws_access_key_id = B\naws_secret_access_key = s", ".aws/credentials",
            mode: 0o600)
        #expect(try await chain.credentials().accessKeyID == "A")
        folder.write("[default\n", ".aws/config")
        #expect(
            await refusal([:]) == "\(folder(".aws/config")): line 1: a section's name ends with ]")
        #expect(await refusal(["AWS_CONFIG_FILE": "x"]) == "x: a path must begin with /")
    }

    // MARK: Programs

    private func process(_ command: String) -> [String: String] {
        folder.write("[default]\ncredential_process = \(command)", "process")
        return [
            "AWS_CONFIG_FILE": folder("process"), "DEPLOYEX_ERLANG_COOKIE": "cookie",
            "GIVEN": "given", "NOTIFY_SOCKET": "/run/notify",
        ]
    }

    private func script(_ text: String) -> String {
        folder.write("#!/bin/sh\n\(text)\n", "script", mode: 0o755)
        return folder("script")
    }

    @Test func `a program's words are its own, and no shell sees them`() async throws {
        let path = script(
            #"printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"s"}' "#
                + #""$1.$#.$GIVEN.$DEPLOYEX_ERLANG_COOKIE$NOTIFY_SOCKET""#)
        #expect(try await key(process("\(path) '$HOME;x' \"b\" c\\ d")) == "$HOME;x.3.given.")
        // By its name.
        let name = "printf '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"s\"}'"
        #expect(try await key(process(name)) == "P")
    }

    @Test func `a program that fails is named with what it says, not with its words`() async throws
    {
        let path = script("echo \"no such vault\" >&2; exit 7")
        #expect(
            await refusal(process("\(path) --password wJalr"))
                == "profile default: credential_process: it has ended with exit status 7: "
                + "no such vault")
        for (command, problem) in [
            (script("echo nonsense"), "it is not JSON"),
            ("/bin/cat /dev/zero", "prints more than 65536 bytes"),
            ("nowhere-at-all", "there is no program nowhere-at-all in PATH"),
            ("./script", "must be a whole path or a mere name"),
            (folder("missing"), "no such file"),
            ("\(folder.path)", "is not a regular file"),
        ] {
            let text = await refusal(process(command))
            #expect(text.contains(problem), "\(text)")
        }
    }

    @Test func `a program that others could have written is not started`() async throws {
        let path = script("touch \(folder("started"))")
        try ChildProcess.run("chmod", ["777", path])
        let text = await refusal(process(path))
        #expect(text.contains("can be written to by everyone"), "\(text)")
        #expect(!Files.exists(folder("started")))
    }
}

/// Sends nothing, and answers as it is told.
private struct Sender: HTTPSending {
    var answer: @Sendable (HTTPRequest) -> HTTPAnswer

    init(_ answer: @escaping @Sendable (HTTPRequest) -> HTTPAnswer) {
        self.answer = answer
    }

    func send(
        _ request: HTTPRequest, within deadline: Duration, contentLimit: Int
    ) async throws(HTTPError) -> HTTPAnswer {
        answer(request)
    }
}
