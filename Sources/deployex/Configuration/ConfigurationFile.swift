internal import Deployment
internal import Transport

/// The JSON file that configures a server with one or more applications. Its keys are known and
/// occur once; its values have not been checked yet.
///
/// ```json
/// {"log_path": "/var/log", "applications": [{"name": "counter", "first_port": 4000}]}
/// ```
struct ConfigurationFile {
    let path: String
    /// The values at the top level, by ``Setting/key``.
    private(set) var host: [String: JSONValue] = [:]
    /// The values in each application's object.
    private(set) var applications: [[String: JSONValue]] = []

    static let applicationsKey = "applications"
    private static let maximumByteCount = 1 << 20

    /// - Throws: ``UsageError`` in one line, with the path of the key or the position in the text.
    static func read(_ path: String) throws(UsageError) -> ConfigurationFile {
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(path, as: .file, limit: maximumByteCount)
        } catch {
            throw UsageError("\(error)", "start")
        }
        return try ConfigurationFile(path: path, bytes: bytes)
    }

    init(path: String, bytes: [UInt8]) throws(UsageError) {
        self.path = path
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONReader.value(bytes)
        } catch {
            switch error {
            case .endsTooEarly:
                throw UsageError("\(path): it ends too early to be JSON", "start")
            case .unexpected(let offset), .tooDeep(let offset):
                throw UsageError("\(path): no JSON at \(Self.place(offset, bytes))", "start")
            }
        }
        guard case .object(let members) = value else {
            throw UsageError("\(path): an object is expected, not \(value.kind)", "start")
        }
        host = try flattened(members, .host, prefix: "")
        guard let list = value[Self.applicationsKey] else {
            throw UsageError("\(path): applications: a list with one or more is missing", "start")
        }
        guard case .array(let elements) = list, !elements.isEmpty else {
            throw SettingValue.json(list, file: path, key: Self.applicationsKey)
                .failure("a list with one application or more")
        }
        for (index, element) in elements.enumerated() {
            let prefix = Self.prefix(index)
            guard case .object(let members) = element else {
                throw SettingValue.json(element, file: path, key: String(prefix.dropLast()))
                    .failure("an object")
            }
            applications.append(try flattened(members, .application, prefix: prefix))
        }
    }

    /// The prefix of an application's keys: `applications[1].`
    static func prefix(_ index: Int) -> String { "\(applicationsKey)[\(index)]." }

    /// Flattens the objects inside an object, down to the keys of settings.
    private func flattened(
        _ members: [JSONValue.Member], _ scope: Setting.Scope, prefix: String,
        section: String = ""
    ) throws(UsageError) -> [String: JSONValue] {
        let keys = Setting.all.filter { $0.scopes.contains(scope) }.map(\.key)
        var found: [String: JSONValue] = [:]
        var seen: Set<String> = []
        for member in members {
            let key = section + member.key
            guard seen.insert(key).inserted else {
                throw UsageError("\(path): \(prefix)\(key): it stands there twice", "start")
            }
            // Only we write dots in keys: in the file, an object is an object.
            guard !member.key.contains(".") else {
                throw unknownKey(key, prefix: prefix, section: section, of: keys)
            }
            if keys.contains(key) {
                found[key] = member.value
            } else if keys.contains(where: { $0.hasPrefix(key + ".") }) {
                guard case .object(let inner) = member.value else {
                    throw SettingValue.json(member.value, file: path, key: prefix + key)
                        .failure("an object")
                }
                found.merge(
                    try flattened(inner, scope, prefix: prefix, section: key + ".")
                ) { $1 }
            } else if scope != .host || key != Self.applicationsKey {
                throw unknownKey(key, prefix: prefix, section: section, of: keys)
            }
        }
        return found
    }

    private func unknownKey(
        _ key: String, prefix: String, section: String, of keys: [String]
    ) -> UsageError {
        let known = keys.filter { $0.hasPrefix(section) }
            .map { $0.dropFirst(section.count).prefix { $0 != "." } }
        var names: [String] = []
        for name in known.map(String.init) where !names.contains(name) { names.append(name) }
        if section.isEmpty, prefix.isEmpty { names.append(Self.applicationsKey) }
        return UsageError(
            "\(path): \(prefix)\(key): there is no such key here, only "
                + names.joined(separator: ", "), "start")
    }

    /// "line 3, column 7"
    private static func place(_ offset: Int, _ bytes: [UInt8]) -> String {
        let before = bytes.prefix(offset)
        let line = before.count { $0 == 0x0A } + 1
        let column = before.reversed().prefix { $0 != 0x0A }.count + 1
        return "line \(line), column \(column)"
    }
}
