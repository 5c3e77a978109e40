internal import HTTP
internal import Transport

/// The server beside a container that hands out its role's credentials. It does no I/O. Its texts
/// do not show the token.
///
/// Source: "Container credential provider", AWS SDKs and Tools Reference Guide.
struct ContainerEndpoint: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    enum Authorization: Equatable, Sendable {
        case none
        /// In a file that is replaced while we run.
        case file(String)
        case text(String)
    }

    let url: HTTPURL
    let authorization: Authorization

    var description: String { "\(url)" }
    var customMirror: Mirror { Mirror(self, children: ["url": url]) }

    /// `nil` when the environment names none.
    init?(environment: CredentialsOrder) throws(CredentialsError) {
        if let path = environment.value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            let name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
            guard path.hasPrefix("/") else {
                throw CredentialsError("\(name) must begin with /")
            }
            url = try environment.url("http://169.254.170.2\(path)", name)
        } else if let text = environment.value("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
            url = try environment.url(text, name)
            guard url.scheme == .https || Self.isBeside(url.host) else {
                throw CredentialsError(
                    "\(name): \(url.host) would get this host's token unencrypted: use https://, or "
                        + "one of 127.0.0.1, [::1], 169.254.170.2, 169.254.170.23 and "
                        + "[fd00:ec2::23]")
            }
        } else {
            return nil
        }
        if let path = environment.value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            authorization = .file(path)
        } else {
            authorization =
                environment.value("AWS_CONTAINER_AUTHORIZATION_TOKEN").map { .text($0) } ?? .none
        }
    }

    /// Whether what is said to `host` stays on this host: a name could be anybody's.
    private static func isBeside(_ host: String) -> Bool {
        if host == "localhost" { return true }
        guard let address = SocketAddress(host, port: 0) else { return false }
        let others = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
        return address.isLoopback || others.contains { SocketAddress($0, port: 0) == address }
    }
}
