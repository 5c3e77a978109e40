package protocol CredentialsSource: Sendable {
    func credentials() async throws(CredentialsError) -> AWSCredentials
    /// What was given is not accepted any more: the next question asks anew.
    func invalidate() async
}

/// Why there are no credentials, and what to do.
package struct CredentialsError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
