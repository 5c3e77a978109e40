/// A role that STS is asked to let us act as.
struct AssumedRole: Equatable, Sendable {
    var arn: String
    /// Seen in the trail of what was done with the role.
    var sessionName: String
    var externalID: String?
    /// In seconds; the role's own limit is 12 hours at most.
    var duration: Int?

    static let usualSessionName = "deployex"
}
