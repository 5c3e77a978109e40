internal import Glibc
internal import Supervisor
internal import Transport

/// This process's environment variables.
enum ProcessEnvironment {
    /// Those that are text. deployex itself uses no others.
    static var variables: [String: String] {
        var variables: [String: String] = [:]
        for entry in entries {
            guard let text = String(validating: entry, as: UTF8.self),
                let equals = text.firstIndex(of: "=")
            else { continue }
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return variables
    }

    /// Those that are not UTF-8, for the instances.
    static var foreign: [ForeignVariable] {
        entries.compactMap { ForeignVariable(entry: $0) }
    }

    /// A setting that is not text must not count as absent.
    static func check() throws(UsageError) {
        let own = ["DEPLOYEX_", "ELIXIR_ERL_OPTIONS", "ERL_EPMD_"]
        for variable in foreign where own.contains(where: variable.name.hasPrefix) {
            throw UsageError("\(SafeText.line(variable.name)): its value is not UTF-8")
        }
    }

    private static var entries: [[UInt8]] {
        var entries: [[UInt8]] = []
        var next = environ
        while let entry = next.pointee {
            entries.append(Array(UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
            next += 1
        }
        return entries
    }
}
