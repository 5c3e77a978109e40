/// The profiles of both shared files. It does no I/O.
struct SharedProfiles: Equatable, Sendable {
    typealias Profile = [String: String]

    private var profiles: [String: Profile] = [:]

    /// - Parameters:
    ///   - config: its sections are `[default]` and `[profile NAME]`.
    ///   - credentials: its sections are `[NAME]`; what it says about a profile comes first.
    init(
        config: SharedConfigFile = SharedConfigFile(),
        credentials: SharedConfigFile = SharedConfigFile()
    ) {
        profiles["default"] = config.sections["default"]
        for (section, values) in config.sections where section != "default" {
            guard let name = Self.name(section) else { continue }
            profiles[name] = values
        }
        for (name, values) in credentials.sections {
            profiles[name, default: [:]].merge(values) { _, new in new }
        }
    }

    subscript(name: String) -> Profile? { profiles[name] }

    /// `profile NAME`, where the name may be in quotes.
    private static func name(_ section: String) -> String? {
        guard section.hasPrefix("profile"), let words = try? CommandWords.split(section),
            words.count == 2, words[0] == "profile"
        else { return nil }
        return words[1]
    }
}
