/// Who asks AWS. Its texts never show the secrets, in logs or in a debugger's dump.
package struct AWSCredentials: Equatable, Sendable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    package var accessKeyID: String
    package var secretAccessKey: String
    package var sessionToken: String?
    /// Seconds since 1970; `nil` for a key that lasts.
    package var expiration: Int?

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil,
        expiration: Int? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    package var description: String { "AWS credentials" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
