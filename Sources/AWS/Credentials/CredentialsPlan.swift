internal import HTTP

/// Where credentials come from, as the environment and the shared files say.
indirect enum CredentialsPlan: Equatable, Sendable {
    /// They stand in the environment or in a file.
    case known(AWSCredentials)
    /// A program prints them. Its words may hold a secret.
    case process(words: [String], profile: String)
    case role(AssumedRole, from: CredentialsPlan)
    case webIdentity(AssumedRole, tokenPath: String)
    case container(ContainerEndpoint)
    case instance(endpoint: HTTPURL)
}
