/// Variables that look like deployex's and mean nothing to it, most of them mistyped.
enum UnknownVariables {
    /// The variables besides those of settings.
    private static let others = [
        "DEPLOYEX_CONFIG", "DEPLOYEX_ERLANG_COOKIE", "DEPLOYEX_ERLANG_COOKIE_FILE",
        "DEPLOYEX_OTP_TLS_CERT_PATH",
        "DEPLOYEX_SIGNING_PASSWORD_FILE",
        // The mark of what an instance's deployex has started.
        "DEPLOYEX_INSTANCE_FOLDER",
    ]

    static let known = Set(Setting.all.compactMap(\.variable) + others)

    /// One line for each, without its value, which may be a secret.
    static func warnings(_ environment: [String: String]) -> [String] {
        environment.keys.sorted().compactMap { name in
            guard !known.contains(name), !name.isEmpty, environment[name] != "" else { return nil }
            let near = nearest(to: name)
            guard name.hasPrefix(prefix) || near != nil else { return nil }
            let question = near.map { "did you mean \($0)?" } ?? "it changes nothing"
            return "\(name) is set, which deployex does not know: \(question)"
        }
    }

    private static let prefix = "DEPLOYEX_"

    private static func nearest(to name: String) -> String? {
        // Other programs' variables are compared only if they begin alike.
        guard name.uppercased().hasPrefix("DEPLO"), name.count <= 64 else { return nil }
        let text = name.uppercased()
        if let near = EditDistance.nearest(to: text, among: known.sorted(), within: 3) {
            return near
        }
        // DEPLOYEX_REPLICAS is meant as DEPLOYEX_MONITORED_REPLICAS.
        let words = Set(text.split(separator: "_"))
        let longer = known.filter { words.isSubset(of: Set($0.split(separator: "_"))) }
        return longer.count == 1 && words.count > 1 ? longer.first : nil
    }
}
