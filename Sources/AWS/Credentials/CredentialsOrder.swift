internal import HTTP

/// Chooses where credentials come from, in the order of AWS's own tools: environment, profile, web
/// identity, then either the container's endpoint or the instance's metadata. It does no I/O.
///
/// Source: "AWS SDKs and Tools Reference Guide"; aws-c-auth's default chain; botocore's
/// `credentials.py` for what a profile means.
struct CredentialsOrder: Sendable {
    private let environment: [String: String]

    init(environment: [String: String]) {
        self.environment = environment
    }

    /// A variable's value; `nil` also when it is empty.
    func value(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    var profileName: String {
        value("AWS_PROFILE") ?? value("AWS_DEFAULT_PROFILE") ?? "default"
    }

    private var isProfileNamed: Bool {
        value("AWS_PROFILE") != nil || value("AWS_DEFAULT_PROFILE") != nil
    }

    /// What the environment alone decides, before any file is read.
    func planOfEnvironment() throws(CredentialsError) -> CredentialsPlan? {
        guard let key = value("AWS_ACCESS_KEY_ID") else { return nil }
        guard let secret = value("AWS_SECRET_ACCESS_KEY") else {
            throw CredentialsError(
                "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: set both")
        }
        var expiration: Int?
        if let text = value("AWS_CREDENTIAL_EXPIRATION") {
            guard let seconds = UTCTime.seconds(text) else {
                throw CredentialsError(
                    "AWS_CREDENTIAL_EXPIRATION must be a time such as 2026-01-31T12:00:00Z")
            }
            expiration = seconds
        }
        let credentials = try AWSCredentials(
            accessKeyID: key, secretAccessKey: secret,
            sessionToken: value("AWS_SESSION_TOKEN") ?? value("AWS_SECURITY_TOKEN"),
            expiration: expiration
        ).checked("the environment")
        return .known(credentials)
    }

    /// - Parameter places: the files that were read, for errors.
    func plan(
        _ profiles: SharedProfiles, places: String
    ) throws(CredentialsError) -> CredentialsPlan {
        if let plan = try planOfEnvironment() { return plan }
        if isProfileNamed, profiles[profileName] == nil {
            throw CredentialsError(
                "there is no profile \(profileName), which AWS_PROFILE names, in \(places)")
        }
        if let plan = try plan(ofProfile: profileName, profiles, above: []) { return plan }
        if let path = value("AWS_WEB_IDENTITY_TOKEN_FILE") {
            guard let arn = value("AWS_ROLE_ARN") else {
                throw CredentialsError(
                    "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN: set both")
            }
            let name = value("AWS_ROLE_SESSION_NAME") ?? AssumedRole.usualSessionName
            return .webIdentity(AssumedRole(arn: arn, sessionName: name), tokenPath: path)
        }
        if let endpoint = try ContainerEndpoint(environment: self) { return .container(endpoint) }
        guard value("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true" else {
            throw CredentialsError(
                "no AWS credentials are configured: set AWS_ACCESS_KEY_ID and "
                    + "AWS_SECRET_ACCESS_KEY, or write profile \(profileName) to \(places), or let "
                    + "the instance's role be used: AWS_EC2_METADATA_DISABLED is true")
        }
        return .instance(endpoint: try metadataEndpoint())
    }

    private func metadataEndpoint() throws(CredentialsError) -> HTTPURL {
        let isOfIPv6 = value("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")?.lowercased() == "ipv6"
        let usual = isOfIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        return try url(
            value("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? usual,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    }

    func url(_ text: String, _ variable: String) throws(CredentialsError) -> HTTPURL {
        do throws(HTTPURLError) {
            return try HTTPURL(text)
        } catch {
            throw CredentialsError("\(variable): \(error)")
        }
    }

    // MARK: Profiles

    /// What a profile says; `nil` when it says nothing about credentials.
    /// - Parameter above: the profiles whose `source_profile` it is.
    private func plan(
        ofProfile name: String, _ profiles: SharedProfiles, above: [String]
    ) throws(CredentialsError) -> CredentialsPlan? {
        guard let profile = profiles[name] else { return nil }
        func value(_ key: String) -> String? {
            profile[key].flatMap { $0.isEmpty ? nil : $0 }
        }
        // A profile may name itself, for the keys that stand beside its role.
        let isOwnSource = above.last == name
        if !isOwnSource, let arn = value("role_arn") {
            var role = AssumedRole(
                arn: arn, sessionName: value("role_session_name") ?? AssumedRole.usualSessionName)
            if let path = value("web_identity_token_file") {
                return .webIdentity(role, tokenPath: path)
            }
            if value("mfa_serial") != nil {
                throw CredentialsError(
                    "profile \(name): mfa_serial asks for a code at each start, and nobody is there "
                        + "to type it: use a role without it")
            }
            role.externalID = value("external_id")
            role.duration = value("duration_seconds").flatMap { Int($0) }
                .flatMap { 900...43_200 ~= $0 ? $0 : nil }
            return .role(role, from: try source(ofProfile: name, value, profiles, above + [name]))
        }
        if let credentials = try known(value, "profile \(name)") { return .known(credentials) }
        if let command = value("credential_process") {
            do throws(CommandWords.Problem) {
                let words = try CommandWords.split(command)
                guard !words.isEmpty else { return nil }
                return .process(words: words, profile: name)
            } catch {
                throw CredentialsError("profile \(name): credential_process: \(error)")
            }
        }
        let isOfSignIn = ["sso_session", "sso_start_url", "sso_account_id", "login_session"]
        if let key = isOfSignIn.first(where: { value($0) != nil }) {
            throw CredentialsError(
                "profile \(name): \(key): signing in through a browser (SSO) is for people, and "
                    + "ends after hours: give this host a role (an instance profile, role_arn with "
                    + "credential_source), a credential_process, or keys of its own")
        }
        return nil
    }

    private func known(
        _ value: (String) -> String?, _ place: String
    ) throws(CredentialsError) -> AWSCredentials? {
        let key = value("aws_access_key_id")
        let secret = value("aws_secret_access_key")
        if key == nil, secret == nil { return nil }
        guard let key, let secret else {
            let missing = key == nil ? "aws_access_key_id" : "aws_secret_access_key"
            throw CredentialsError("\(place): \(missing) is missing: it needs both")
        }
        return try AWSCredentials(
            accessKeyID: key, secretAccessKey: secret,
            sessionToken: value("aws_session_token") ?? value("aws_security_token")
        ).checked(place)
    }

    /// Whose credentials take a profile's role.
    /// - Parameter above: the profiles that lead here, with the profile itself at the end.
    private func source(
        ofProfile name: String, _ value: (String) -> String?, _ profiles: SharedProfiles,
        _ above: [String]
    ) throws(CredentialsError) -> CredentialsPlan {
        switch (value("source_profile"), value("credential_source")) {
        case (.some, .some):
            throw CredentialsError(
                "profile \(name): it has both source_profile and credential_source: remove one")
        case (nil, nil):
            throw CredentialsError(
                "profile \(name): role_arn needs source_profile or credential_source")
        case (let source?, nil):
            guard source == name || !above.contains(source), above.count <= 8 else {
                throw CredentialsError(
                    "profile \(name): source_profile \(source) leads in a circle, or too far")
            }
            guard profiles[source] != nil else {
                throw CredentialsError(
                    "profile \(name): there is no profile \(source), its source_profile")
            }
            guard let plan = try plan(ofProfile: source, profiles, above: above) else {
                throw CredentialsError(
                    "profile \(name): its source_profile \(source) has no credentials")
            }
            return plan
        case (nil, "Environment"):
            if let plan = try planOfEnvironment() { return plan }
            throw CredentialsError(
                "profile \(name): credential_source is Environment, but AWS_ACCESS_KEY_ID is not "
                    + "set")
        case (nil, "EcsContainer"):
            if let endpoint = try ContainerEndpoint(environment: self) {
                return .container(endpoint)
            }
            throw CredentialsError(
                "profile \(name): credential_source is EcsContainer, but neither "
                    + "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                    + "AWS_CONTAINER_CREDENTIALS_FULL_URI is set")
        case (nil, "Ec2InstanceMetadata"):
            return .instance(endpoint: try metadataEndpoint())
        case (nil, .some):
            throw CredentialsError(
                "profile \(name): credential_source must be Environment, Ec2InstanceMetadata or "
                    + "EcsContainer")
        }
    }
}
