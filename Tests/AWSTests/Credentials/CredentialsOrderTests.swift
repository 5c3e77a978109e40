import HTTP
import Testing

@testable import AWS

/// Where credentials come from.
@Suite struct CredentialsOrderTests {
    private func plan(
        _ environment: [String: String] = [:], config: String = "", credentials: String = ""
    ) throws -> CredentialsPlan {
        try CredentialsOrder(environment: environment).plan(
            SharedProfiles(
                config: SharedConfigFile(Array(config.utf8)),
                credentials: SharedConfigFile(Array(credentials.utf8))),
            places: "the files")
    }

    private func refusal(
        _ environment: [String: String] = [:], config: String = "", credentials: String = ""
    ) -> String {
        do {
            return "\(try plan(environment, config: config, credentials: credentials))"
        } catch {
            return "\(error)"
        }
    }

    private func known(_ key: String, _ secret: String, _ token: String? = nil) -> CredentialsPlan {
        .known(AWSCredentials(accessKeyID: key, secretAccessKey: secret, sessionToken: token))
    }

    private let everything = [
        "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/c",
    ]
    private let keys = "[default]\naws_access_key_id = FA\naws_secret_access_key = FS"

    @Test func `the environment comes first, then files, web identity, container, instance`() throws
    {
        var environment = everything
        #expect(try plan(environment, credentials: keys) == known("A", "S", "T"))
        environment["AWS_ACCESS_KEY_ID"] = ""
        #expect(try plan(environment, credentials: keys) == known("FA", "FS"))
        let role = AssumedRole(arn: "arn", sessionName: "deployex")
        #expect(try plan(environment) == .webIdentity(role, tokenPath: "/t"))
        environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = nil
        guard case .container(let endpoint) = try plan(environment) else {
            Issue.record("the container is left out")
            return
        }
        #expect("\(endpoint)" == "http://169.254.170.2/c")
        environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = nil
        #expect(
            try plan(environment) == .instance(endpoint: try HTTPURL("http://169.254.169.254")))
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6"
        #expect(
            try plan(environment) == .instance(endpoint: try HTTPURL("http://[fd00:ec2::254]")))
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:9"
        #expect(try plan(environment) == .instance(endpoint: try HTTPURL("http://127.0.0.1:9")))
        environment["AWS_EC2_METADATA_DISABLED"] = "True"
        #expect(refusal(environment).contains("AWS_EC2_METADATA_DISABLED is true"))
    }

    @Test func `half of the environment's credentials is an error`() {
        #expect(
            refusal(["AWS_ACCESS_KEY_ID": "A"]).contains("without AWS_SECRET_ACCESS_KEY"))
        #expect(
            refusal(["AWS_WEB_IDENTITY_TOKEN_FILE": "/t"]).contains("without AWS_ROLE_ARN"))
    }

    @Test func `a key that would end a line is refused and not shown`() {
        let text = refusal(["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "top\nsecret"])
        #expect(text == "the environment: the secret key cannot be one")
    }

    @Test func `the environment may say when its credentials expire`() throws {
        let environment = [
            "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SECURITY_TOKEN": "old",
            "AWS_CREDENTIAL_EXPIRATION": "1970-01-02T00:00:00Z",
        ]
        #expect(
            try plan(environment)
                == .known(
                    AWSCredentials(
                        accessKeyID: "A", secretAccessKey: "S", sessionToken: "old",
                        expiration: 86_400)))
    }

    // MARK: Profiles

    @Test func `a named profile must be there`() throws {
        let config = "[profile p]\naws_access_key_id = A\naws_secret_access_key = S"
        #expect(try plan(["AWS_PROFILE": "p"], config: config) == known("A", "S"))
        #expect(try plan(["AWS_DEFAULT_PROFILE": "p"], config: config) == known("A", "S"))
        #expect(
            refusal(["AWS_PROFILE": "q"], config: config)
                == "there is no profile q, which AWS_PROFILE names, in the files")
    }

    @Test func `a profile without credentials is passed over`() throws {
        #expect(
            try plan(config: "[default]\nregion = x")
                == .instance(endpoint: try HTTPURL("http://169.254.169.254")))
    }

    @Test func `a role is taken with another profile's credentials, over several steps`() throws {
        let config = """
            [profile a]
            role_arn = arn:a
            source_profile = b
            external_id = id
            role_session_name = me
            duration_seconds = 1800
            [profile b]
            role_arn = arn:b
            source_profile = c
            [profile c]
            aws_access_key_id = A
            aws_secret_access_key = S
            """
        #expect(
            try plan(["AWS_PROFILE": "a"], config: config)
                == .role(
                    AssumedRole(
                        arn: "arn:a", sessionName: "me", externalID: "id", duration: 1_800),
                    from: .role(
                        AssumedRole(arn: "arn:b", sessionName: "deployex"), from: known("A", "S"))))
    }

    @Test func `a profile may be its own source for its keys`() throws {
        let own = "[default]\nrole_arn = r\nsource_profile = default\n"
        #expect(
            try plan(
                config: own + "aws_access_key_id = A\naws_secret_access_key = S")
                == .role(AssumedRole(arn: "r", sessionName: "deployex"), from: known("A", "S")))
        #expect(refusal(config: own).contains("has no credentials"))
    }

    @Test func `a role may be taken with the environment's, container's or instance's credentials`()
        throws
    {
        func config(_ source: String) -> String {
            "[default]\nrole_arn = r\ncredential_source = \(source)"
        }
        #expect(refusal(config: config("Environment")).contains("AWS_ACCESS_KEY_ID is not set"))
        #expect(refusal(config: config("EcsContainer")).contains("RELATIVE_URI"))
        #expect(refusal(config: config("Elsewhere")).contains("must be Environment"))
        #expect(
            try plan(config: config("Ec2InstanceMetadata"))
                == .role(
                    AssumedRole(arn: "r", sessionName: "deployex"),
                    from: .instance(endpoint: try HTTPURL("http://169.254.169.254"))))
        #expect(
            refusal(
                ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1/x"],
                config: config("EcsContainer")
            ).contains("container(http://localhost:1/x)"))
    }

    @Test(arguments: [
        ("role_arn = r\nsource_profile = b\ncredential_source = Environment", "has both"),
        ("role_arn = r", "needs source_profile or credential_source"),
        ("role_arn = r\nsource_profile = z", "there is no profile z"),
        ("role_arn = r\nsource_profile = b\nmfa_serial = m", "mfa_serial"),
        ("role_arn = r\nsource_profile = b", "circle"),
        ("aws_access_key_id = A", "aws_secret_access_key is missing"),
        ("aws_secret_access_key = A", "aws_access_key_id is missing"),
        ("credential_process = 'a", "quotation mark"),
        ("sso_session = s", "sso_session: signing in through a browser (SSO)"),
        ("sso_start_url = s", "sso_start_url: signing in"),
        ("login_session = s", "login_session: signing in"),
    ])
    func `a profile that cannot work is refused by name`(profile: String, problem: String) {
        let config =
            "[profile a]\n\(profile)\n[profile b]\nrole_arn = s\nsource_profile = a"
        let text = refusal(["AWS_PROFILE": "a"], config: config)
        #expect(text.contains(problem), "\(text)")
        #expect(text.contains("profile a") || text.contains("profile b"), "\(text)")
    }

    @Test func `a chain of roles has an end`() {
        var config = ""
        for number in 0..<20 {
            config += "[profile p\(number)]\nrole_arn = r\nsource_profile = p\(number + 1)\n"
        }
        #expect(refusal(["AWS_PROFILE": "p0"], config: config).contains("too far"))
    }

    @Test func `a program and a web identity may stand in a profile`() throws {
        #expect(
            try plan(config: "[default]\ncredential_process = /bin/x \"a b\" c")
                == .process(words: ["/bin/x", "a b", "c"], profile: "default"))
        #expect(
            try plan(config: "[default]\nrole_arn = r\nweb_identity_token_file = /t")
                == .webIdentity(
                    AssumedRole(arn: "r", sessionName: "deployex"), tokenPath: "/t"))
    }

    // MARK: Addresses

    @Test(arguments: [
        "http://127.0.0.1/x", "http://127.9.9.9:80/x", "http://[::1]:5/x", "http://localhost/x",
        "http://169.254.170.2/x", "http://169.254.170.23/x", "http://[fd00:ec2::23]/x",
        "http://[fd00:ec2:0:0:0:0:0:23]/x", "https://anywhere.example/x",
    ])
    func `a container's endpoint may stand there`(address: String) throws {
        let plan = try plan(["AWS_CONTAINER_CREDENTIALS_FULL_URI": address])
        guard case .container = plan else {
            Issue.record("\(plan)")
            return
        }
    }

    @Test(arguments: [
        "http://anywhere.example/x", "http://169.254.169.254/x", "http://10.0.0.1/x",
        "http://127.1/x", "http://0x7f000001/x", "http://2130706433/x", "http://0.0.0.0/x",
        "http://localhost.example/x", "http://[fd00:ec2::24]/x", "http://[::]/x",
        "http://127.0.0.1@10.0.0.1/x", "ftp://127.0.0.1/x", "/x", "http://127.0.0.1\\@evil/x",
    ])
    func `a container's endpoint may not stand there`(address: String) {
        let text = refusal(["AWS_CONTAINER_CREDENTIALS_FULL_URI": address])
        #expect(text.hasPrefix("AWS_CONTAINER_CREDENTIALS_FULL_URI: "), "\(text)")
    }

    @Test func `no text of a container's endpoint shows its token`() throws {
        let plan = try plan([
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wJalr",
        ])
        var dumped = ""
        dump(plan, to: &dumped)
        #expect(!"\(plan) \(String(reflecting: plan)) \(dumped)".contains("wJalr"))
    }

    @Test func `STS is the region's, unless the environment names another server`() throws {
        func endpoint(_ region: String, _ environment: [String: String] = [:]) throws -> String {
            "\(try CredentialsOrder(environment: environment).endpoint(of: .sts, region: region))"
        }
        #expect(try endpoint("eu-west-1") == "https://sts.eu-west-1.amazonaws.com/")
        #expect(try endpoint("cn-north-1") == "https://sts.cn-north-1.amazonaws.com.cn/")
        #expect(try endpoint("", ["AWS_ENDPOINT_URL": "http://a:1"]) == "http://a:1/")
        #expect(
            try endpoint("", ["AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_STS": "http://b"])
                == "http://b/")
        for region in ["", "eu.evil.example/", "EU", "a b"] {
            #expect(throws: CredentialsError.self) { try endpoint(region) }
        }
    }
}
