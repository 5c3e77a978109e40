/// Tells whether a cookie is strong. Whoever may connect may do everything, and can guess as often
/// as the network allows.
enum CookieStrength {
    /// Why a cookie is easily guessed, in words that fit after "the cookie is weak: "; `nil` when
    /// it is not. No answer contains the cookie itself.
    /// - Parameter names: the names of the applications and of the node, which attackers know.
    static func weakness(of cookie: String, names: [String] = []) -> String? {
        let word = cookie.lowercased()
        if wellKnown.contains(word) { return "it is one that everybody tries first" }
        if names.contains(where: { $0.lowercased() == word }) {
            return "it is the name of the application or of the node"
        }
        guard word.utf8.count >= minimumByteCount else {
            return "it has fewer than \(minimumByteCount) characters"
        }
        guard Set(word.utf8).count >= minimumDistinctByteCount else {
            return "it has fewer than \(minimumDistinctByteCount) different characters"
        }
        return nil
    }

    static let minimumByteCount = 16
    private static let minimumDistinctByteCount = 6

    /// Cookies from books, examples and templates. Source: "Distributed Erlang", Erlang's Reference
    /// Manual; "mix release", Elixir.
    private static let wellKnown: Set<String> = [
        "cookie", "secret", "monster", "nocookie", "erlang", "elixir", "phoenix", "password",
        "changeme", "change_me", "test", "abc", "a", "node", "deployex", "rabbit", "default",
        "my_secret_cookie", "mysecretcookie", "secret_cookie", "secretcookie",
        "super_secret_cookie",
        "supersecretcookie", "your_secret_cookie", "some_secret_cookie", "release_cookie",
    ]
}
