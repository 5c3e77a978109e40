/// What lets somebody in. It may be replaced while deployex runs.
package struct DashboardSecrets: Equatable, Sendable {
    /// The API's token; without it nobody has one.
    package var apiToken: String?
    /// The passwords of the roles; without one, nobody logs in as that with a password.
    package var administrator: PasswordHash?
    package var viewer: PasswordHash?

    package init() {}

    /// The names of those that `other` has another way.
    func changes(to other: DashboardSecrets) -> [String] {
        var names: [String] = []
        if apiToken != other.apiToken { names.append("the API's token") }
        if administrator != other.administrator { names.append("the administrator's password") }
        if viewer != other.viewer { names.append("the viewer's password") }
        return names
    }
}
