internal import Glibc
internal import Transport

/// The authorities whose certificates servers may show. They are loaded at the first use, off the
/// loop, and again when their file changes.
package actor HTTPTrust {
    private let configuration: TLSConfiguration
    private var context: TLSContext?

    /// - Parameter bundle: a PEM file; `nil` for the system's authorities.
    package init(bundle: String? = nil) {
        var configuration = TLSConfiguration()
        let usual = "/etc/ssl/certs/ca-certificates.crt"
        if let bundle {
            configuration.authorities = .files([bundle])
        } else if access(usual, R_OK) == 0 {
            configuration.authorities = .files([usual])
        } else {
            configuration.authorities = .system
        }
        self.configuration = configuration
    }

    /// The bundle that the variables name, as AWS's own tools and OpenSSL read them.
    package init(environment: [String: String]) {
        let names = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
        self.init(bundle: names.compactMap { environment[$0] }.first { !$0.isEmpty })
    }

    func current() async throws(TLSConfigurationError) -> TLSContext {
        if let context {
            await context.look()
            return context
        }
        let configuration = configuration
        let made = try await offload { () throws(TLSConfigurationError) in
            try TLSContext(configuration, role: .client)
        }
        context = made
        return made
    }
}
