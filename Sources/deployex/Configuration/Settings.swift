internal import Deployment

/// The places where a setting may be given, in the order in which they win.
struct Settings {
    enum Source {
        /// Environment variables. Unset and empty ones mean the same.
        case variables([String: String])
        /// The parameters after `-kernel`.
        case kernel([String: String])
        /// Key paths relative to `prefix`, and their values.
        case file(path: String, prefix: String, members: [String: JSONValue])
    }

    private let sources: [Source]

    init(_ sources: [Source]) {
        self.sources = sources
    }

    func value(_ setting: Setting) -> SettingValue? {
        for source in sources {
            switch source {
            case .variables(let variables):
                guard let name = setting.variable, let text = variables[name], !text.isEmpty
                else { continue }
                return .text(text, name: name)
            case .kernel(let parameters):
                guard let name = setting.kernelParameter, let text = parameters[name]
                else { continue }
                return .text(text, name: "-kernel \(name)")
            case .file(let path, let prefix, let members):
                guard let value = members[setting.key] else { continue }
                return .json(value, file: path, key: prefix + setting.key)
            }
        }
        return nil
    }

    /// The name by which to set a missing setting: the file's key or the variable.
    func name(of setting: Setting) -> String {
        if case .file(let path, let prefix, _)? = sources.first {
            return "\(path): \(prefix)\(setting.key)"
        }
        return setting.variable ?? setting.key
    }
}
