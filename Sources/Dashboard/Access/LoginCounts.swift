/// How often somebody has proved who he is, and failed to.
package struct LoginCounts: Equatable, Sendable {
    package var successes = 0
    /// Wrong passwords, links and tokens.
    package var failures = 0

    package init() {}
}
